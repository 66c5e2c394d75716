"""The OpenAPI 3.1 document of the inference service: possible problems, streams, and examples of answers."""

from typing import Any, Final

from fastapi import FastAPI

from services.inference.openai import HEADER_ERASER, LAST_EVENT, event_of, first_event
from services.inference.responses import AnswerHead, ChatCompletion
from shared.core.openapi import PROBLEM_SCHEMA, Schemas, add_examples, add_problems, example, serve_document
from shared.errors import PROBLEM_BASE, NotFound
from shared.vlm.generation import Answer

ALL_OPERATIONS: Final = {
    500: "An error of ours",
    503: "The model, a version to answer with, or the database cannot be used now",
}
WITH_KEY: Final = {401: "No valid key", 403: "A key without the role client or admin"}
CHAT: Final = {
    400: "The request cannot be read",
    404: "No such model",
    411: "No Content-Length",
    413: "The request, or a picture, is too large",
    422: "It cannot be answered as it is",
}
WITHOUT_KEY: Final = ("/healthz", "/readyz")
CHAT_PATH: Final = "/v1/chat/completions"
DETAIL: Final = "There is no model gpt-9; this is demo-vlm."
PROBLEM_WITH_ERROR: Final[dict[str, Any]] = PROBLEM_SCHEMA | {
    "required": [*PROBLEM_SCHEMA["required"], "error"],
    "properties": PROBLEM_SCHEMA["properties"]
    | {
        "error": {
            "type": "object",
            "description": "the same for OpenAI's clients",
            "required": ["message", "type", "code", "param"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "code": {"type": "string"},
                "param": {"type": "null"},
            },
        }
    },
    "examples": [
        {
            "type": PROBLEM_BASE + "not-found",
            "title": NotFound.title,
            "status": 404,
            "detail": DETAIL,
            "error": {"message": DETAIL, "type": "not-found", "code": "not-found", "param": None},
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


def _complete(path: str, _: str, operation: dict[str, Any], schemas: Schemas) -> None:
    """Add to one operation what FastAPI cannot know: the key, possible problems, the version and examples."""
    if path not in WITHOUT_KEY:
        operation["security"] = [{"key": []}]
    with_key = {} if path in WITHOUT_KEY else WITH_KEY
    operation["responses"].pop("422", None)  # FastAPI's own, which CHAT replaces
    add_problems(operation, with_key | (CHAT if path == CHAT_PATH else {}) | ALL_OPERATIONS)
    answer = operation["responses"]["200"]
    answer["headers"] = ERASER_HEADER
    if path == CHAT_PATH:
        answer["description"] = "The answer; with `stream` as server-sent events, `[DONE]` at the end"
        answer["content"]["text/event-stream"] = {"schema": {"type": "string"}, "example": _streamed_example(schemas)}
    add_examples(operation, schemas)


def _streamed_example(schemas: Schemas) -> str:
    """The example of a whole answer as it is streamed."""
    completion = ChatCompletion.model_validate(example(schemas["ChatCompletion"], schemas))
    head = AnswerHead(**{name: getattr(completion, name) for name in AnswerHead.model_fields})
    (choice,) = completion.choices
    answer = Answer(choice.message.content, (), completion.usage.prompt_tokens, choice.finish_reason)
    return "".join([first_event(head), event_of(answer.text, head), event_of(answer, head), LAST_EVENT])
