"""The OpenAPI 3.1 document: what FastAPI derives, with permissions, possible problems and examples of answers."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.request.auth.permissions import OPEN, PERMISSIONS
from shared.core.http import PROBLEM
from shared.errors import PROBLEM_BASE

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
PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "a URI that leads to what it means"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string", "description": "give it to the operator"},
    },
    "examples": [
        {
            "type": PROBLEM_BASE + "four-eyes",
            "title": "A second person has to do this",
            "status": 403,
            "detail": "T-QZF9ZWQQ was filed by olivia: somebody else has to approve it.",
            "request_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        }
    ],
}
VALUES: Final[dict[str, Any]] = {  # by type or format, where a field has no example
    "object": {},
    "array": [],
    "integer": 0,
    "number": 0,
    "boolean": False,
    "date": "2026-11-24",
    "date-time": "2026-11-24T09:30:00Z",
    "uuid": "6f1c4a52-0f2e-4d0a-9d3f-5a0c7b9f1e11",
}


def describe(app: FastAPI) -> None:
    """Give `app` its document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, openapi_version="3.1.0", routes=app.routes)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = PROBLEM_SCHEMA
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "an API key, or a token of the OpenID provider"}
    }
    for path in document["paths"].values():
        for method, operation in path.items():
            _complete(method, operation, schemas)
    return document


def _complete(method: str, operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """Add to one operation what FastAPI cannot know: permissions, problems, and an example of each answer."""
    name = operation["operationId"]
    problems = dict(ALL_OPERATIONS)
    if name not in OPEN:
        problems |= WITH_PRINCIPAL
        operation["security"] = [{"key": []}]
        permission = PERMISSIONS[name]
        operation["x-roles"], operation["x-scope"] = list(permission.roles), permission.scope
        description = operation.get("description", "")
        permitted = f"Roles: {', '.join(permission.roles)}. Scope: `{permission.scope}`."
        operation["description"] = f"{description}\n\n{permitted}".strip()
    problems |= CHANGES if method in ("post", "patch") else READS
    for status, title in problems.items():
        operation["responses"][str(status)] = {
            "description": title,
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get("application/json")
        if status.startswith("2") and content and "schema" in content:
            content["example"] = example(content["schema"], schemas)


def example(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """One value that fits a JSON schema, made of the examples of its fields; `schemas` are those that it refers to.

    A field without an example has its first allowed value or its default; null where it may be null; else the smallest
    value of its type.
    """
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    values = [*schema.get("examples", ())[:1], *schema.get("enum", ())[:1]]
    values += [schema[name] for name in ("default", "const", "minimum") if name in schema]
    if values:
        return values[0]
    if "anyOf" in schema:
        return None if {"type": "null"} in schema["anyOf"] else example(schema["anyOf"][0], schemas)
    if "items" in schema:
        return [example(schema["items"], schemas)]
    if "properties" in schema:
        return {name: example(member, schemas) for name, member in schema["properties"].items()}
    return VALUES.get(schema.get("format", schema.get("type", "object")), "...")
