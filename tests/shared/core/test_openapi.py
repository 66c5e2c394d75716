"""Examples of answers are made of their schemas."""

from shared.core.openapi import example


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
