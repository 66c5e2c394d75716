"""POST /v1/completions: OpenAI's older endpoint. Each prompt is asked as the message of a user, in a chat of its own.

The models that are served are chat models: a text that continues without their template would be one that they, and the
gates that read them, were never fitted for.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from services.inference.context import ContextDep
from services.inference.headers import HEADER_ERASER
from services.inference.protocol.answering import Piece, begun, pieces, while_connected, whole
from services.inference.protocol.bodies import read_body
from services.inference.protocol.chat import LEAST_LOGPROB, TokenCount, answer_head, as_json, usage_of
from services.inference.protocol.errors import unsupported
from services.inference.protocol.messages import Said, Text, read_prompt
from services.inference.protocol.sampling import ChoiceMembers, passed_on
from services.inference.protocol.streaming import LAST_EVENT, EventStream, event, guarded, shutting_down
from services.inference.responses import AnswerHead, FinishReason, ResponseModel, UsageResponse
from shared.errors import BadInput
from shared.vlm.generation import Answer
from shared.vlm.sampling import TokenLogprob

router = APIRouter()
MOST_PROMPTS: Final = 16
MOST_ANSWERS: Final = 64
MOST_LOGPROBS: Final = 5
DEFAULT_MAX_TOKENS: Final = 16  # OpenAI's


def _texts(given: Any) -> Any:
    """A prompt or several as a list. Raises ValueError for token ids, which belong to a tokenizer, not to a text."""
    prompts = [given] if isinstance(given, str) else given
    if isinstance(prompts, list) and any(not isinstance(prompt, str) for prompt in prompts):
        raise ValueError("the prompt has to be a text or a list of texts: token ids are not supported")
    return prompts


class CompletionRequest(ChoiceMembers):
    """POST /v1/completions. Unknown fields are accepted and ignored."""

    prompt: Annotated[list[Text], Field(min_length=1, max_length=MOST_PROMPTS), BeforeValidator(_texts)]
    max_tokens: TokenCount = DEFAULT_MAX_TOKENS
    logprobs: int | None = Field(default=None, ge=0, le=MOST_LOGPROBS)
    best_of: int | None = Field(default=None, ge=1)
    echo: bool = False
    suffix: str | None = None
    logit_bias: dict[str, float] | None = None
    response_format: dict[str, Any] | None = None

    def for_engine(self, passes: frozenset[str]) -> dict[str, Any]:
        """The members for an engine that understands `passes`; raises BadInput for one that cannot be honoured."""
        if self.echo:
            raise unsupported("echo", "echo is not supported: the prompt is never sent back.")
        if self.suffix:
            raise unsupported("suffix", "suffix is not supported: nothing can be inserted into a text.")
        if self.best_of is not None and self.best_of != self.n:
            raise unsupported("best_of", "best_of is not supported: ask for n answers and choose among them.")
        if self.n * len(self.prompt) > MOST_ANSWERS:
            raise BadInput(f"A request may ask for {MOST_ANSWERS} answers: n for each prompt.", param="n")
        given = {"logit_bias": self.logit_bias, "response_format": self.response_format}
        return passed_on(given, passes)


class CompletionLogprobs(ResponseModel):
    """How likely the tokens of an answer were, and where each begins in the text."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class CompletionChoice(ResponseModel):
    """An answer, or a piece of one; `finish_reason` is null before its end."""

    index: int
    text: str = Field(examples=["A harbour at dusk."])
    logprobs: CompletionLogprobs | None = None
    finish_reason: FinishReason | None


class Completion(AnswerHead):
    """Whole answers, or one server-sent event of a streamed answer."""

    object: Literal["text_completion"] = "text_completion"
    choices: list[CompletionChoice]
    usage: UsageResponse | None = None


@router.post("/v1/completions", response_model=Completion)
async def completions(request: Request, context: ContextDep) -> Response:
    """Answer one or several prompts, whole or as server-sent events."""
    body = await read_body(request, CompletionRequest, context.workers)
    engine, served = context.ready_for(body.model)
    samplings = body.samplings(body.max_tokens, body.logprobs, body.for_engine(engine.passes))
    said = [
        Said("prompt" if len(body.prompt) == 1 else f"prompt[{at}]", "user", [text])
        for at, text in enumerate(body.prompt)
    ]
    prompts = [await read_prompt([each], engine, context.pictures) for each in said]
    asked = [(prompt, sampling) for prompt in prompts for sampling in samplings]
    head = answer_head("cmpl", context.model_id, served.fingerprint)
    headers = {HEADER_ERASER: str(served.number)}
    answers = pieces(engine, served, asked)
    events = CompletionEvents(head, body.n, include_usage=body.include_usage, logprobs=body.logprobs)
    if body.stream:
        started = await while_connected(request.receive, begun(answers))
        return EventStream(guarded(events.stream(started), LAST_EVENT), headers, shutting_down)
    completed = await while_connected(request.receive, whole(answers))
    return JSONResponse(as_json(events.whole(completed)), headers=headers)


class CompletionEvents:
    """The answers of one request, `n` for each prompt, whole or as server-sent events."""

    def __init__(
        self, head: AnswerHead, n: int = 1, *, include_usage: bool = False, logprobs: int | None = None
    ) -> None:
        self._head = head.model_dump() | {"object": "text_completion"}
        self._n, self._include_usage, self._logprobs = n, include_usage, logprobs

    def whole(self, answers: Sequence[Answer]) -> Completion:
        """All answers at once."""
        choices = [self._choice(index, answer.text, answer) for index, answer in enumerate(answers)]
        return Completion(**self._head, choices=choices, usage=self._usage(answers))

    async def stream(self, answers: AsyncGenerator[Piece, None]) -> AsyncGenerator[str, None]:
        """The text of each answer as it comes, why it ended, and the counts where they are wanted."""
        ended: dict[int, Answer] = {}
        async with aclosing(answers):
            async for index, piece in answers:
                if isinstance(piece, str):
                    yield self.text(piece, index)
                else:
                    ended[index] = piece
                    yield self.end(piece, index)
        if self._include_usage:
            yield self._event([], self._usage([ended[index] for index in sorted(ended)]))

    def text(self, text: str, index: int = 0) -> str:
        """A piece of text."""
        return self._event([CompletionChoice(index=index, text=text, logprobs=None, finish_reason=None)])

    def end(self, answer: Answer, index: int = 0) -> str:
        """Why an answer ended, and the likelihoods of its tokens where they are wanted."""
        return self._event([self._choice(index, "", answer)])

    def _choice(self, index: int, text: str, answer: Answer) -> CompletionChoice:
        logprobs = None if self._logprobs is None else logprobs_of(answer.logprobs)
        return CompletionChoice(index=index, text=text, logprobs=logprobs, finish_reason=answer.finish_reason)

    def _event(self, choices: list[CompletionChoice], usage: UsageResponse | None = None) -> str:
        more: dict[str, Any] = {"usage": usage} if self._include_usage else {}
        return event(as_json(Completion(**self._head, choices=choices, **more)))

    def _usage(self, answers: Sequence[Answer]) -> UsageResponse:
        """The counts of all prompts and answers; the answers to one prompt count it once."""
        each = [usage_of(answers[start : start + self._n]) for start in range(0, len(answers), self._n)]
        return UsageResponse(**{name: sum(getattr(u, name) for u in each) for name in UsageResponse.model_fields})


def logprobs_of(tokens: Sequence[TokenLogprob]) -> CompletionLogprobs:
    """How likely the tokens were. At each place the token itself is among the most likely ones, as OpenAI sends it."""
    offsets, at = [], 0
    for each in tokens:
        offsets.append(at)
        at += len(each.token)
    return CompletionLogprobs(
        tokens=[each.token for each in tokens],
        token_logprobs=[max(each.logprob, LEAST_LOGPROB) for each in tokens],
        top_logprobs=[
            {token: max(logprob, LEAST_LOGPROB) for token, logprob in (*each.top, (each.token, each.logprob))}
            for each in tokens
        ],
        text_offset=offsets,
    )
