"""Answers of the Responses API: the whole object, and the events of a stream."""

import json
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Literal

from pydantic import Field

from services.inference.protocol.answering import Piece
from services.inference.protocol.chat import as_json, logprobs_of
from services.inference.protocol.errors import error_member
from services.inference.responses import ResponseModel
from shared.errors import LacunaError, NotReady
from shared.vlm.generation import Answer


class ResponseObject(ResponseModel):
    """A response. `output` holds the message of the assistant and the functions that it calls."""

    id: str = Field(examples=["resp_6f1c4a520f2e4d0a9d3f5a0c7b9f1e11"])
    object: Literal["response"] = "response"
    created_at: int = Field(examples=[1795512600])
    status: Literal["in_progress", "completed", "incomplete", "failed"] = Field(examples=["completed"])
    error: dict[str, Any] | None = None
    incomplete_details: dict[str, Any] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    model: str = Field(examples=["demo-vlm"])
    output: list[dict[str, Any]]
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    store: Literal[False] = False
    temperature: float = 0.0
    text: dict[str, Any] = Field(default_factory=lambda: {"format": {"type": "text"}})
    tool_choice: str | dict[str, Any] = "auto"
    tools: list[dict[str, Any]] = Field(default_factory=list)
    top_logprobs: int | None = None
    top_p: float = 1.0
    truncation: Literal["disabled"] = "disabled"
    usage: dict[str, Any] | None = None
    user: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)


class ResponseEvents:
    """One response on its way; `opening` is its object before anything was answered."""

    def __init__(self, opening: ResponseObject, *, logprobs: bool = False) -> None:
        self._opening, self._logprobs = opening, logprobs
        self._item_id = f"msg_{uuid.uuid4().hex}"
        self._number = 0

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The object at the end."""
        calls = [_function_call(call.id, call.name, call.arguments) for call in answer.tool_calls]
        message = [self._message(answer)] if answer.text or not calls else []
        cut = answer.finish_reason == "length"
        count = len(answer.tokens)
        usage = {
            "input_tokens": answer.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": count,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": answer.prompt_tokens + count,
        }
        return self._opening.model_dump() | {
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": message + calls,
            "usage": usage,
        }

    async def stream(self, answers: AsyncGenerator[Piece, None]) -> AsyncGenerator[str, None]:
        """The events, as the official client puts them together."""
        yield self.begin()
        place = {"item_id": self._item_id, "output_index": 0, "content_index": 0}
        text = ""
        async with aclosing(answers):
            async for _, piece in answers:
                if isinstance(piece, str):
                    if not text:
                        for each in self._begin_message(place):
                            yield each
                    text += piece
                    yield self._event("response.output_text.delta", **place, delta=piece, logprobs=[])
                    continue
                response = self.whole(piece)
                if text or not piece.tool_calls:
                    if not text:
                        for each in self._begin_message(place):
                            yield each
                    for each in self._end_message(place, response["output"][0]):
                        yield each
                for each in self._function_calls(response["output"]):
                    yield each
                yield self._event(f"response.{response['status']}", response=response)

    def begin(self) -> str:
        """The first two events."""
        opening = self._opening.model_dump()
        return self._event("response.created", response=opening) + self._event("response.in_progress", response=opening)

    def failure(self, error: LacunaError) -> str:
        """The event of an error after the first byte."""
        member = error_member(error)["error"]
        error_event = {name: member[name] for name in ("message", "code", "param")}
        failed = self._opening.model_dump() | {
            "status": "failed",
            "error": {"code": "server_error", "message": error.detail},
        }
        return self._event("error", **error_event) + self._event("response.failed", response=failed)

    def shutting_down(self) -> str:
        """The events of a stream that the service ends."""
        return self.failure(NotReady("The service is shutting down."))

    def _message(self, answer: Answer) -> dict[str, Any]:
        logprobs = as_json(logprobs_of(answer.logprobs))["content"] if self._logprobs else []
        part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": logprobs}
        status = "incomplete" if answer.finish_reason == "length" else "completed"
        return self._item(status, [part])

    def _item(self, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self._item_id, "type": "message", "role": "assistant", "status": status, "content": content}

    def _begin_message(self, place: Mapping[str, Any]) -> list[str]:
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        return [
            self._event("response.output_item.added", output_index=0, item=self._item("in_progress", [])),
            self._event("response.content_part.added", **place, part=part),
        ]

    def _end_message(self, place: Mapping[str, Any], item: Mapping[str, Any]) -> list[str]:
        (part,) = item["content"]
        return [
            self._event("response.output_text.done", **place, text=part["text"], logprobs=part["logprobs"]),
            self._event("response.content_part.done", **place, part=part),
            self._event("response.output_item.done", output_index=0, item=item),
        ]

    def _function_calls(self, output: list[dict[str, Any]]) -> list[str]:
        events = []
        for index, item in enumerate(output):
            if item["type"] == "function_call":
                begun = item | {"arguments": "", "status": "in_progress"}
                place = {"item_id": item["id"], "output_index": index}
                arguments = item["arguments"]
                events += [
                    self._event("response.output_item.added", output_index=index, item=begun),
                    self._event("response.function_call_arguments.delta", **place, delta=arguments),
                    self._event(
                        "response.function_call_arguments.done", **place, name=item["name"], arguments=arguments
                    ),
                    self._event("response.output_item.done", output_index=index, item=item),
                ]
        return events

    def _event(self, kind: str, **members: Any) -> str:
        body = {"type": kind, "sequence_number": self._number, **members}
        self._number += 1
        return f"event: {kind}\ndata: {json.dumps(body)}\n\n"


def _function_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {
        "id": f"fc_{uuid.uuid4().hex}",
        "type": "function_call",
        "status": "completed",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }
