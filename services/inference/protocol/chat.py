"""POST /v1/chat/completions."""

import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.responses import Response

from services.inference.context import ContextDep
from services.inference.headers import HEADER_ERASER
from services.inference.protocol.answering import Piece, begun, pieces, while_connected, whole
from services.inference.protocol.bodies import read_body
from services.inference.protocol.errors import unsupported
from services.inference.protocol.messages import MOST_MESSAGES, Message, Said, read_prompt
from services.inference.protocol.sampling import MOST_TOP_LOGPROBS, ChoiceMembers, passed_on
from services.inference.protocol.streaming import LAST_EVENT, EventStream, event, guarded, shutting_down
from services.inference.responses import (
    AnswerHead,
    ChatCompletion,
    ChatCompletionChunk,
    ChoiceResponse,
    ChunkChoice,
    Delta,
    FunctionResponse,
    LogprobsResponse,
    MessageResponse,
    TokenLogprobResponse,
    ToolCallResponse,
    TopLogprobResponse,
    UsageResponse,
)
from shared.vlm.generation import Answer
from shared.vlm.sampling import TokenLogprob, ToolCall

router = APIRouter()
LEAST_LOGPROB: Final = -9999.0  # what OpenAI sends for a token that is all but impossible
TokenCount = Annotated[int, Field(ge=1, le=2**31 - 1)]


class ChatCompletionRequest(ChoiceMembers):
    """POST /v1/chat/completions. Unknown fields are accepted and ignored, because clients send many."""

    messages: list[Message] = Field(min_length=1, max_length=MOST_MESSAGES)
    max_tokens: TokenCount | None = None
    max_completion_tokens: TokenCount | None = None
    logprobs: bool = False
    top_logprobs: int | None = Field(default=None, ge=0, le=MOST_TOP_LOGPROBS)
    echo: bool = False
    tools: list[dict[str, Any]] | None = Field(default=None, max_length=128)
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    functions: list[dict[str, Any]] | None = Field(default=None, max_length=128)
    function_call: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    logit_bias: dict[str, float] | None = None
    modalities: list[str] | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None

    @property
    def most_tokens(self) -> int | None:
        """Most tokens of an answer; None: as many as the context leaves room for."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def wanted_logprobs(self) -> int | None:
        """How many other tokens are wanted at each place; None: no likelihoods at all. Raises BadInput."""
        if self.top_logprobs and not self.logprobs:
            raise unsupported("top_logprobs", "top_logprobs needs logprobs=true.")
        return (self.top_logprobs or 0) if self.logprobs else None

    def for_engine(self, passes: frozenset[str]) -> dict[str, Any]:
        """The members for an engine that understands `passes`; raises BadInput for one that it does not."""
        if self.echo:
            raise unsupported("echo", "echo is not supported: the prompt is never sent back.")
        return passed_on({name: getattr(self, name) for name in EXTRA}, passes)


EXTRA: Final = (
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "logit_bias",
    "modalities",
    "reasoning_effort",
    "verbosity",
)


@router.post("/v1/chat/completions", response_model=ChatCompletion)
async def chat(request: Request, context: ContextDep) -> Response:
    """Answer a chat, whole or as server-sent events."""
    body = await read_body(request, ChatCompletionRequest, context.workers)
    engine, served = context.ready_for(body.model)
    samplings = body.samplings(body.most_tokens, body.wanted_logprobs, body.for_engine(engine.passes))
    said = [Said.of(message, f"messages[{at}]") for at, message in enumerate(body.messages)]
    prompt = await read_prompt(said, engine, context.pictures)
    head = answer_head("chatcmpl", context.model_id, served.fingerprint)
    headers = {HEADER_ERASER: str(served.number)}
    answers = pieces(engine, served, [(prompt, sampling) for sampling in samplings])
    if body.stream:
        events = ChatEvents(head, body.n, include_usage=body.include_usage, logprobs=body.logprobs)
        started = await while_connected(request.receive, begun(answers))
        return EventStream(guarded(events.stream(started), LAST_EVENT), headers, shutting_down)
    completed = await while_connected(request.receive, whole(answers))
    return JSONResponse(as_json(completion(head, completed, logprobs=body.logprobs)), headers=headers)


def answer_head(prefix: str, model: str, fingerprint: str) -> AnswerHead:
    """The head of a new answer."""
    return AnswerHead(
        id=f"{prefix}-{uuid.uuid4().hex}", created=int(time.time()), model=model, system_fingerprint=fingerprint
    )


def as_json(answer: Any) -> dict[str, Any]:
    """The members that were given."""
    dumped: dict[str, Any] = answer.model_dump(exclude_unset=True)
    return dumped


def usage_of(answers: Sequence[Answer]) -> UsageResponse:
    """The counts of several answers to one prompt."""
    prompt_tokens = max(answer.prompt_tokens for answer in answers)
    count = sum(len(answer.tokens) for answer in answers)
    return UsageResponse(prompt_tokens=prompt_tokens, completion_tokens=count, total_tokens=prompt_tokens + count)


def completion(head: AnswerHead, answers: Sequence[Answer], *, logprobs: bool = False) -> ChatCompletion:
    """Whole answers: text and counts. Whether a gate fired, and for which ticket, is left out."""
    choices = []
    for index, answer in enumerate(answers):
        message: dict[str, Any] = {"role": "assistant", "content": answer.text}
        if answer.tool_calls:
            message |= {"content": answer.text or None, "tool_calls": tool_calls(answer.tool_calls)}
        choice: dict[str, Any] = {"index": index, "message": MessageResponse(**message)}
        if logprobs:
            choice["logprobs"] = logprobs_of(answer.logprobs)
        choices.append(ChoiceResponse(**choice, finish_reason=finish_reason(answer)))
    return ChatCompletion(**head.model_dump(), object="chat.completion", choices=choices, usage=usage_of(answers))


def finish_reason(answer: Answer) -> str:
    """Why an answer ended, in OpenAI's words."""
    return "tool_calls" if answer.tool_calls and answer.finish_reason == "stop" else answer.finish_reason


def tool_calls(calls: Sequence[ToolCall]) -> list[ToolCallResponse]:
    """The calls of functions that an engine asks for."""
    return [
        ToolCallResponse(
            id=call.id, type="function", function=FunctionResponse(name=call.name, arguments=call.arguments)
        )
        for call in calls
    ]


def logprobs_of(tokens: Sequence[TokenLogprob]) -> LogprobsResponse:
    """How likely the tokens of an answer were."""
    return LogprobsResponse(
        content=[
            TokenLogprobResponse(
                **_token(each.token, each.logprob),
                top_logprobs=[TopLogprobResponse(**_token(token, logprob)) for token, logprob in each.top],
            )
            for each in tokens
        ]
    )


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": max(logprob, LEAST_LOGPROB), "bytes": list(token.encode(errors="replace"))}


class ChatEvents:
    """The server-sent events of one chat with `choices` answers."""

    def __init__(self, head: AnswerHead, choices: int = 1, *, include_usage: bool = False, logprobs: bool = False):
        self._head, self._choices = head.model_dump(), choices
        self._include_usage, self._logprobs = include_usage, logprobs

    async def stream(self, answers: AsyncGenerator[Piece, None]) -> AsyncGenerator[str, None]:
        """The role of each answer, its text as it comes, and why it ended; the counts at the end, where wanted."""
        for index in range(self._choices):
            yield self.role(index)
        ended = []
        async with aclosing(answers):
            async for index, piece in answers:
                if isinstance(piece, str):
                    yield self.text(piece, index)
                    continue
                ended.append(piece)
                for text in self.end(piece, index):
                    yield text
        if self._include_usage:
            yield self._event([], usage_of(ended))

    def role(self, index: int = 0) -> str:
        """The event before the text of an answer."""
        return self._chunk(index, Delta(role="assistant", content=""))

    def text(self, text: str, index: int = 0) -> str:
        """A piece of text."""
        return self._chunk(index, Delta(content=text))

    def end(self, answer: Answer, index: int = 0) -> list[str]:
        """The likelihoods of the tokens and the calls of tools, where there are any, and why the answer ended."""
        events = []
        if self._logprobs:
            events.append(self._chunk(index, Delta(content=""), logprobs=logprobs_of(answer.logprobs)))
        if answer.tool_calls:
            calls = [
                ToolCallResponse(index=at, **call.model_dump(exclude_unset=True))
                for at, call in enumerate(tool_calls(answer.tool_calls))
            ]
            events.append(self._chunk(index, Delta(tool_calls=calls)))
        return [*events, self._chunk(index, Delta(), finish_reason(answer))]

    def _chunk(
        self, index: int, delta: Delta, reason: str | None = None, logprobs: LogprobsResponse | None = None
    ) -> str:
        more: Mapping[str, Any] = {} if logprobs is None else {"logprobs": logprobs}
        return self._event([ChunkChoice(index=index, delta=delta, finish_reason=reason, **more)])

    def _event(self, choices: list[ChunkChoice], usage: UsageResponse | None = None) -> str:
        more: dict[str, Any] = {"usage": usage} if self._include_usage else {}
        return event(
            as_json(ChatCompletionChunk(**self._head, object="chat.completion.chunk", choices=choices, **more))
        )
