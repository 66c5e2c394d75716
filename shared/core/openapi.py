"""What the OpenAPI 3.1 documents of both HTTP services share: problems, the API key, and examples of answers."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from shared.core.http import PROBLEM
from shared.errors import PROBLEM_BASE

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

Schemas = Mapping[str, Any]
Complete = Callable[[str, str, dict[str, Any], dict[str, Any]], None]


def serve_document(
    app: FastAPI, complete: Complete, key: str, problem_schema: Mapping[str, Any] = PROBLEM_SCHEMA
) -> None:
    """Give `app` its document: what FastAPI derives, and what `complete(path, method, operation, schemas)` adds to it.

    `key` describes the bearer credential. The validation errors of FastAPI are left out: problems take their place.
    """

    def document() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        derived = get_openapi(title=app.title, version=app.version, openapi_version="3.1.0", routes=app.routes)
        components = derived.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        schemas["Problem"] = problem_schema
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": key}}
        for path, operations in derived["paths"].items():
            for method, operation in operations.items():
                complete(path, method, operation, schemas)
        app.openapi_schema = derived
        return derived

    app.openapi = document  # type: ignore[method-assign]


def add_problems(operation: dict[str, Any], titles: Mapping[int, str]) -> None:
    """Add to an operation the problems that it may answer with, by status."""
    for status, title in titles.items():
        operation["responses"][str(status)] = {
            "description": title,
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }


def add_examples(operation: dict[str, Any], schemas: Schemas) -> None:
    """Add an example to each JSON answer of 2xx of an operation."""
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get("application/json")
        if status.startswith("2") and content and "schema" in content:
            content["example"] = example(content["schema"], schemas)


def example(schema: Mapping[str, Any], schemas: Schemas) -> Any:
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
