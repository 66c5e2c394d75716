"""The OpenAPI document describes every answer of the inference service, streams and problems included."""

import json
from typing import Any, cast

import pytest
from fastapi import FastAPI

from services.inference.responses import ChatCompletionChunk
from tests.services.inference.conftest import MODEL, Replica
from tests.support.openapi import json_answers, schema_errors

PATHS = {
    "/healthz",
    "/readyz",
    "/v1/models",
    "/v1/models/{model}",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
}


@pytest.fixture
def document(unloaded: Replica) -> dict[str, Any]:
    return cast(FastAPI, unloaded.http.app).openapi()


def test_every_answer_has_a_named_schema_and_an_example_that_fits(document: dict[str, Any]) -> None:
    assert document["paths"].keys() == PATHS
    for path, methods in document["paths"].items():
        for operation in methods.values():
            content = json_answers(operation)["200"]
            assert content["schema"]["$ref"].startswith("#/components/schemas/"), path
            assert not schema_errors(document, content["schema"], content["example"])
            assert operation["responses"]["200"]["headers"]["Lacuna-Eraser"]["example"] == "1"


def test_operation_ids_are_those_of_earlier_versions(document: dict[str, Any]) -> None:
    ids = {operation["operationId"] for methods in document["paths"].values() for operation in methods.values()}
    assert ids == {
        "healthz_healthz_get",
        "readyz_readyz_get",
        "models_v1_models_get",
        "model_v1_models__model__get",
        "chat_v1_chat_completions_post",
        "completions_v1_completions_post",
        "respond_v1_responses_post",
    }


def test_example_of_a_stream_is_made_of_chunks(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/chat/completions"]["post"]["responses"]["200"]["content"]
    events = content["text/event-stream"]["example"].split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    chunks = [ChatCompletionChunk.model_validate_json(event.removeprefix("data: ")) for event in events[:-2]]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == content["application/json"]["example"]["choices"][0]["message"]["content"] != ""


def test_problems_fit_their_schema_and_are_listed(unloaded: Replica, document: dict[str, Any]) -> None:
    """Each refusal that a client can cause here is in the document, and its body fits the schema."""
    key = {"Authorization": f"Bearer {unloaded.people.keys['casey']}", "Content-Type": "application/json"}
    chat = "/v1/chat/completions"
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hello!"}]})
    answers = [
        unloaded.http.get("/v1/models"),
        unloaded.http.get("/v1/models", headers={"Authorization": f"Bearer {unloaded.people.keys['olivia']}"}),
        unloaded.http.get("/readyz"),
        unloaded.http.post(chat, content=body, headers=key),
        unloaded.http.post(chat, content="{", headers=key),
        unloaded.http.post(chat, content=b"\xff", headers=key),
        unloaded.http.post(chat, content="[" * 100_000, headers=key),
        unloaded.http.post(chat, content=iter([b"{}"]), headers=key),
        unloaded.http.post(chat, content=b"", headers=key | {"Content-Length": str(2**30)}),
    ]
    assert [answer.status_code for answer in answers] == [401, 403, 503, 503, 400, 400, 400, 411, 413]
    schema = {"$ref": "#/components/schemas/Problem"}
    for answer in answers:
        path, method = answer.request.url.path, answer.request.method.lower()
        listed = document["paths"][path][method]["responses"][str(answer.status_code)]
        assert listed["content"]["application/problem+json"]["schema"] == schema
        assert not schema_errors(document, schema, answer.json())
    example = document["components"]["schemas"]["Problem"]["examples"][0]
    assert not schema_errors(document, schema, example)


def test_protected_operations_name_the_key(document: dict[str, Any]) -> None:
    protected = {path for path, methods in document["paths"].items() for item in methods.values() if "security" in item}
    assert protected == PATHS - {"/healthz", "/readyz"}
