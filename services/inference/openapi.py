"""The OpenAPI 3.1 document of the inference service: bodies, possible problems, streams, and examples of answers."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel

from services.inference.headers import HEADER_ERASER
from services.inference.protocol.chat import ChatCompletionRequest, ChatEvents
from services.inference.protocol.completions import Completion, CompletionEvents, CompletionRequest
from services.inference.protocol.response_events import ResponseEvents, ResponseObject
from services.inference.protocol.responses_api import ResponseRequest
from services.inference.protocol.streaming import LAST_EVENT
from services.inference.responses import AnswerHead, ChatCompletion
from shared.core.openapi import PROBLEM_SCHEMA, Schemas, add_examples, add_problems, example, serve_document
from shared.errors import PROBLEM_BASE, NotFound
from shared.vlm.generation import Answer

ALL_OPERATIONS: Final = {
    500: "An error of ours",
    503: "The model, a version to answer with, or the database cannot be used now, or too many requests are waiting",
}
WITH_KEY: Final = {
    401: "No valid key",
    403: "A key without the role client or admin",
    413: "The headers, the body or a picture are too large",
    429: "Too many wrong keys from this address",
}
WITH_BODY: Final = {
    400: "The request cannot be read, or cannot be answered as it is; `error.param` names the member",
    404: "No such model",
    408: "The body took too long to arrive",
    411: "No Content-Length",
    415: "The body is not JSON",
}
WITH_MODEL: Final = {404: "No such model"}
WITHOUT_KEY: Final = ("/healthz", "/readyz")
CHAT_PATH: Final = "/v1/chat/completions"
COMPLETIONS_PATH: Final = "/v1/completions"
RESPONSES_PATH: Final = "/v1/responses"
BODIES: Final[Mapping[str, type[BaseModel]]] = {
    CHAT_PATH: ChatCompletionRequest,
    COMPLETIONS_PATH: CompletionRequest,
    RESPONSES_PATH: ResponseRequest,
}
DETAIL: Final = "There is no model gpt-9; this is demo-vlm."
TEXT_OR_NULL: Final = {"type": ["string", "null"]}
PROBLEM_WITH_ERROR: Final[dict[str, Any]] = PROBLEM_SCHEMA | {
    "required": [*PROBLEM_SCHEMA["required"], "error"],
    "properties": PROBLEM_SCHEMA["properties"]
    | {
        "param": TEXT_OR_NULL,
        "reason": {"type": "string"},
        "error": {
            "type": "object",
            "description": "the same for OpenAI's clients",
            "required": ["message", "type", "code", "param"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "code": {"type": "string"},
                "param": TEXT_OR_NULL,
            },
        },
    },
    "examples": [
        {
            "type": PROBLEM_BASE + "not-found",
            "title": NotFound.title,
            "status": 404,
            "detail": DETAIL,
            "param": "model",
            "reason": "model_not_found",
            "error": {
                "message": DETAIL,
                "type": "invalid_request_error",
                "code": "model_not_found",
                "param": "model",
            },
            "request_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        }
    ],
}
ERASER_HEADER: Final = {
    HEADER_ERASER: {
        "description": "The number of the eraser version that answers, or `none` where no version is loaded.",
        "schema": {"type": "string"},
        "example": "1",
    }
}


def describe(app: FastAPI) -> None:
    """Give `app` its document."""
    serve_document(app, _complete, "an API key with the role client or admin", PROBLEM_WITH_ERROR)


def _complete(path: str, _: str, operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Add to one operation what FastAPI cannot know: key, body, possible problems, the version and examples."""
    if path not in WITHOUT_KEY:
        operation["security"] = [{"key": []}]
    operation["responses"].pop("422", None)  # FastAPI's own: a bad request is 400 here
    problems = {} if path in WITHOUT_KEY else dict(WITH_KEY)
    if path in BODIES:
        operation["requestBody"] = _body(BODIES[path], schemas)
        problems |= WITH_BODY
    elif "{" in path:
        problems |= WITH_MODEL
    add_problems(operation, problems | ALL_OPERATIONS)
    answer = operation["responses"]["200"]
    answer["headers"] = ERASER_HEADER
    if path in STREAMED:
        answer["description"] = "The answer; with `stream` as server-sent events"
        answer["content"]["text/event-stream"] = {"schema": {"type": "string"}, "example": STREAMED[path](schemas)}
    add_examples(operation, schemas)


def _body(kind: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    """The body of an operation; its schemas are added to those of the document."""
    schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[kind.__name__] = schema
    reference = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {"required": True, "content": {"application/json": {"schema": reference}}}


def _streamed_chat(schemas: Schemas) -> str:
    """The example of a whole answer as it is streamed."""
    completion = ChatCompletion.model_validate(example(schemas["ChatCompletion"], schemas))
    head = AnswerHead(**{name: getattr(completion, name) for name in AnswerHead.model_fields})
    (choice,) = completion.choices
    text = choice.message.content or ""
    answer = Answer(text, (), completion.usage.prompt_tokens, choice.finish_reason)
    events = ChatEvents(head)
    return "".join([events.role(), events.text(text), *events.end(answer), LAST_EVENT])


def _streamed_completion(schemas: Schemas) -> str:
    completion = Completion.model_validate(example(schemas["Completion"], schemas))
    head = AnswerHead(**{name: getattr(completion, name) for name in AnswerHead.model_fields})
    events = CompletionEvents(head)
    (choice,) = completion.choices
    return "".join([events.text(choice.text), events.end(Answer("", (), 0, "stop")), LAST_EVENT])


def _streamed_response(schemas: Schemas) -> str:
    opening = ResponseObject.model_validate(example(schemas["ResponseObject"], schemas))
    return ResponseEvents(opening).begin()


STREAMED: Final = {
    CHAT_PATH: _streamed_chat,
    COMPLETIONS_PATH: _streamed_completion,
    RESPONSES_PATH: _streamed_response,
}
