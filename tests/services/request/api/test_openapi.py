"""The OpenAPI document describes every answer: a named schema and an example that fits it."""

import pytest

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
