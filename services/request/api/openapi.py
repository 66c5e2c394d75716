"""The OpenAPI 3.1 document: what FastAPI derives, with permissions, possible problems and examples of answers."""

from typing import Any, Final

from fastapi import FastAPI

from services.request.auth.permissions import OPEN, PERMISSIONS
from shared.core.openapi import Schemas, add_examples, add_problems, serve_document

ALL_OPERATIONS: Final = {
    404: "No such thing",
    422: "It cannot be used as it is",
    500: "An error of ours",
    503: "A part cannot be reached",
}
WITH_PRINCIPAL: Final = {
    401: "No valid key or token",
    403: "Not allowed with these roles or scopes",
    429: "Too many requests",
}
READS: Final = {400: "The cursor cannot be used here, or the request cannot be read"}
CHANGES: Final = {
    400: "The request cannot be read",
    409: "The state does not allow it",
    411: "No Content-Length",
    412: "It was changed in the meantime",
    413: "Too large",
    415: "Not a media type that is read here",
    428: "If-Match is missing",
}


def describe(app: FastAPI) -> None:
    """Give `app` its document."""
    serve_document(app, _complete, key="an API key, or a token of the OpenID provider")


def _complete(_: str, method: str, operation: dict[str, Any], schemas: Schemas) -> None:
    """Add to one operation what FastAPI cannot know: permissions, problems, and an example of each answer."""
    name = operation["operationId"]
    problems = dict(ALL_OPERATIONS)
    if name not in OPEN:
        problems |= WITH_PRINCIPAL
        operation["security"] = [{"key": []}]
        permission = PERMISSIONS[name]
        operation["x-roles"], operation["x-scope"] = list(permission.roles), permission.scope
        description = operation.get("description", "")
        operation["x-operating-tenant"] = permission.operating
        permitted = f"Roles: {', '.join(permission.roles)}. Scope: `{permission.scope}`."
        if permission.operating:
            permitted += " Only for people of the tenant that operates the installation."
        operation["description"] = f"{description}\n\n{permitted}".strip()
    add_problems(operation, problems | (CHANGES if method in ("post", "patch") else READS))
    add_examples(operation, schemas)
