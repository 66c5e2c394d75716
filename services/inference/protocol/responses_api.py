"""POST /v1/responses: OpenAI's newer endpoint, for texts, pictures and functions.

Nothing is stored: a response cannot be fetched, continued by its id or cancelled, and it says `store: false`.
"""

import time
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import AliasChoices, BeforeValidator, Field, StringConstraints
from starlette.responses import Response

from services.inference.context import ContextDep
from services.inference.headers import HEADER_ERASER
from services.inference.protocol.answering import begun, pieces, while_connected, whole
from services.inference.protocol.bodies import Members, read_body
from services.inference.protocol.chat import TokenCount
from services.inference.protocol.errors import unsupported
from services.inference.protocol.messages import MOST_MESSAGES, Content, Said, Text, read_prompt, split
from services.inference.protocol.response_events import ResponseEvents, ResponseObject
from services.inference.protocol.sampling import (
    DEFAULT_MAX_TOKENS,
    MOST_TOP_LOGPROBS,
    SamplingMembers,
    passed_on,
)
from services.inference.protocol.streaming import EventStream, guarded
from shared.errors import BadInput, NotFound
from shared.vlm.sampling import Sampling

router = APIRouter()
LOGPROBS: Final = "message.output_text.logprobs"  # of the member `include`
FUNCTION_ITEMS: Final = ("function_call", "function_call_output")
NOT_STORED: Final = "Responses are not stored here: send the whole conversation as input."


class InputItem(Members):
    """A message, a call of a function, or what the function returned. Reasoning items are ignored."""

    type: Literal["message", "function_call", "function_call_output", "reasoning"] = "message"
    role: Literal["user", "assistant", "system", "developer"] = "user"
    content: Content = Field(default_factory=list)
    call_id: Annotated[str, StringConstraints(max_length=256)] | None = None
    name: Annotated[str, StringConstraints(max_length=256)] | None = None
    arguments: Text = ""
    output: Content = Field(default_factory=list)

    def said(self, at: str) -> Said:
        """The item as a message; `at` is its place in the request."""
        if self.type == "function_call":
            function = {"name": self.name, "arguments": self.arguments}
            return Said(at, "assistant", tool_calls=[{"id": self.call_id, "type": "function", "function": function}])
        content = self.output if self.type == "function_call_output" else self.content
        texts, urls = split(content)
        role = "tool" if self.type == "function_call_output" else self.role
        return Said(at, role, texts, urls, tool_call_id=self.call_id)


def _items(given: Any) -> Any:
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


class TextFormat(Members):
    """How the text is to be formed; more than plain text is for engines that can."""

    format: dict[str, Any] = Field(default_factory=lambda: {"type": "text"})


class ResponseRequest(SamplingMembers):
    """POST /v1/responses. Unknown fields are accepted and ignored."""

    input: Annotated[list[InputItem], Field(min_length=1, max_length=MOST_MESSAGES), BeforeValidator(_items)]
    instructions: Text | None = None
    max_output_tokens: TokenCount | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=MOST_TOP_LOGPROBS)
    include: list[str] = Field(default_factory=list, max_length=32)
    tools: list[dict[str, Any]] = Field(default_factory=list, max_length=128)
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool = True
    text: TextFormat = Field(default_factory=TextFormat)
    metadata: dict[str, str] = Field(default_factory=dict, max_length=16)
    previous_response_id: str | None = None
    conversation: Any = None
    background: bool = False
    prompt_template: Any = Field(default=None, validation_alias=AliasChoices("prompt"))

    def check(self) -> None:
        """Raise BadInput for what would need stored responses."""
        for name in ("previous_response_id", "conversation"):
            if getattr(self, name) is not None:
                raise unsupported(name, f"{name} is not supported. {NOT_STORED}")
        if self.background:
            raise unsupported("background", f"background is not supported. {NOT_STORED}")
        if self.prompt_template is not None:
            raise unsupported("prompt", "Stored prompts are not supported: send the text as input.")

    @property
    def wanted_logprobs(self) -> int | None:
        """How many other tokens are wanted at each place; None: no likelihoods at all."""
        return (self.top_logprobs or 0) if LOGPROBS in self.include else None

    def for_engine(self, passes: frozenset[str]) -> dict[str, Any]:
        """The members as an engine with the chat API takes them; raises BadInput for one that it does not take."""
        tools = [_chat_tool(tool) for tool in self.tools]
        choice = self.tool_choice
        if isinstance(choice, Mapping) and choice.get("type") == "function" and "name" in choice:
            choice = {"type": "function", "function": {"name": choice["name"]}}
        given: dict[str, Any] = {"tools": tools or None, "tool_choice": choice}
        form = self.text.format
        if form.get("type") == "json_schema":
            schema = {name: value for name, value in form.items() if name != "type"}
            form = {"type": "json_schema", "json_schema": schema}
        given["response_format"] = form
        try:
            return passed_on(given, passes)
        except BadInput as exc:
            if exc.extra.get("param") == "response_format":
                raise unsupported("text.format", "text.format is not supported by this model's engine.") from exc
            raise

    def messages(self) -> list[Said]:
        """The instructions and the items as messages."""
        opening = [Said("instructions", "system", [self.instructions])] if self.instructions else []
        return opening + [item.said(f"input[{at}]") for at, item in enumerate(self.input) if item.type != "reasoning"]


def _chat_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A function as the chat API writes it; raises BadInput for OpenAI's own tools."""
    if tool.get("type") != "function":
        raise unsupported("tools", "Only tools of the type function are supported.")
    return {"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}


@router.post("/v1/responses", response_model=ResponseObject)
async def respond(request: Request, context: ContextDep) -> Response:
    """Answer a conversation, whole or as server-sent events."""
    body = await read_body(request, ResponseRequest, context.workers)
    engine, served = context.ready_for(body.model)
    body.check()
    extra = body.for_engine(engine.passes)
    said = body.messages()
    if not said:
        raise BadInput("The input holds no message.", param="input")
    prompt = await read_prompt(said, engine, context.pictures)
    sampling: Sampling = body.sampling(
        max_new_tokens=body.max_output_tokens or DEFAULT_MAX_TOKENS,
        fills_context=body.max_output_tokens is None,
        seed=0 if body.temperature == 0.0 else None,
        top_logprobs=body.wanted_logprobs,
        extra=extra,
    )
    events = ResponseEvents(_opening(body, context.model_id), logprobs=body.wanted_logprobs is not None)
    headers = {HEADER_ERASER: str(served.number)}
    answers = pieces(engine, served, [(prompt, sampling)])
    if body.stream:
        started = await while_connected(request.receive, begun(answers))
        return EventStream(guarded(events.stream(started), render=events.failure), headers, events.shutting_down)
    (answer,) = await while_connected(request.receive, whole(answers))
    return JSONResponse(events.whole(answer), headers=headers)


def _opening(body: ResponseRequest, model: str) -> ResponseObject:
    return ResponseObject(
        id=f"resp_{uuid.uuid4().hex}",
        created_at=int(time.time()),
        status="in_progress",
        model=model,
        output=[],
        instructions=body.instructions,
        max_output_tokens=body.max_output_tokens,
        metadata=body.metadata,
        parallel_tool_calls=body.parallel_tool_calls,
        temperature=body.temperature,
        top_p=body.top_p,
        tool_choice=body.tool_choice or "auto",
        tools=body.tools,
        text={"format": body.text.format},
        top_logprobs=body.top_logprobs,
    )


@router.api_route("/v1/responses/{response}", methods=["GET", "DELETE"], include_in_schema=False)
async def stored_response(response: str) -> Response:
    """A response by its id: there is none."""
    raise NotFound(f"There is no response {response[:80]}. {NOT_STORED}", param="response_id")
