"""Holds answers of the HTTP services against their OpenAPI documents."""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import httpx2
import jsonschema_rs
from fastapi import FastAPI


@lru_cache(maxsize=1)
def openapi_document() -> dict[str, Any]:
    """The document of the officer's API; it is the same for every application."""
    from services.request.api.openapi import describe  # noqa: PLC0415
    from services.request.app import ROUTERS  # noqa: PLC0415 (after the test has set its environment)

    app = FastAPI(title="Lacuna", version="1", generate_unique_id_function=lambda route: route.name)
    for router in ROUTERS:
        app.include_router(router)
    describe(app)
    document: dict[str, Any] = app.openapi()
    return document


def json_answers(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The JSON content of each 2xx answer of an operation, by status."""
    return {
        status: answer["content"]["application/json"]
        for status, answer in operation["responses"].items()
        if status.startswith("2") and "application/json" in answer.get("content", {})
    }


def schema_errors(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    """What keeps `value` from fitting `schema` of `document`; empty where it fits."""
    return _errors(jsonschema_rs.validator_for(schema | {"components": document["components"]}), value)


def _errors(validator: jsonschema_rs.Validator, value: Any) -> list[str]:
    return [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in validator.iter_errors(value)]


def answer_check(document: Callable[[], dict[str, Any]]) -> Callable[[httpx2.Response], None]:
    """An event hook of a client, which asserts that a JSON answer of 2xx is what `document` says."""

    @cache
    def operations() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
        """Operations by the pattern of their path; those with fewer parameters first, as the router decides."""
        paths = sorted(document()["paths"].items(), key=lambda item: item[0].count("{"))
        return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), methods) for path, methods in paths]

    validators: dict[tuple[str, str], jsonschema_rs.Validator] = {}

    def check(response: httpx2.Response) -> None:
        if not response.is_success or response.headers.get("content-type") != "application/json":
            return
        for pattern, methods in operations():
            operation = methods.get(response.request.method.lower())
            if operation is not None and pattern.fullmatch(response.request.url.path):
                response.read()
                key = (operation["operationId"], str(response.status_code))
                if key not in validators:
                    schema = json_answers(operation)[key[1]].get("schema", {})
                    validators[key] = jsonschema_rs.validator_for(schema | {"components": document()["components"]})
                errors = _errors(validators[key], response.json())
                assert not errors, f"{operation['operationId']}: {'; '.join(errors[:5])}"
                return

    return check


check_answer = answer_check(openapi_document)


def smallest_value(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """A small value that fits `schema` of `document`: its example, or the required members of an object alone."""
    if "$ref" in schema:
        return smallest_value(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if several := schema.get("anyOf"):
        return smallest_value(document, several[0])
    given = [schema[name] for name in ("const", "default") if name in schema]
    given += [value for name in ("examples", "enum") for value in schema.get(name, ())]
    if given:
        return given[0]
    if schema["type"] == "object":
        members = schema.get("properties", {})
        return {name: smallest_value(document, members[name]) for name in schema.get("required", ())}
    if schema["type"] == "array":
        return [smallest_value(document, schema["items"])] * int(schema.get("minItems", 0))
    return {"integer": schema.get("minimum", 1), "number": 1, "boolean": True, "string": "a reason"}[schema["type"]]
