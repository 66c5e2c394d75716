"""The OpenAPI document describes every answer: a named schema and an example that fits it."""

import pytest

from services.request.api.openapi import example
from tests.support.openapi import json_answers, openapi_document, schema_errors

OPERATIONS = {
    operation["operationId"]: operation
    for methods in openapi_document()["paths"].values()
    for operation in methods.values()
}


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_answer_has_a_named_schema_and_an_example_that_fits(name: str) -> None:
    document = openapi_document()
    answers = json_answers(OPERATIONS[name])
    assert answers
    for content in answers.values():
        schemas = content["schema"].get("anyOf", [content["schema"]])
        assert all(schema.get("$ref", "").startswith("#/components/schemas/") for schema in schemas)
        assert not schema_errors(document, content["schema"], content["example"])


def test_example_is_made_of_the_examples_of_the_fields() -> None:
    schemas = {"Person": {"type": "object", "properties": {"name": {"type": "string", "examples": ["olivia"]}}}}
    schema = {
        "type": "object",
        "properties": {
            "people": {"type": "array", "items": {"$ref": "#/components/schemas/Person"}},
            "at": {"type": "string", "format": "date"},
            "decided_by": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "state": {"type": "string", "enum": ["open", "ended"]},
            "count": {"type": "integer", "minimum": 1},
        },
    }
    assert example(schema, schemas) == {
        "people": [{"name": "olivia"}],
        "at": "2026-11-24",
        "decided_by": None,
        "state": "open",
        "count": 1,
    }
