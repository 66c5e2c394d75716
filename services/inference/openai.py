"""OpenAI's chat bodies, as far as they are served: how they become prompts, and how answers are written.

What a client sends is messages and sampling, nothing else: no field reaches the eraser. Knows no model and no eraser.
"""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.inference.responses import (
    AnswerHead,
    ChatCompletion,
    ChatCompletionChunk,
    ChoiceResponse,
    ChunkChoice,
    Delta,
    MessageResponse,
    UsageResponse,
)
from shared.domain.photos import open_photo, read_data_url
from shared.domain.prompts import Prompt, Turn
from shared.errors import BadInput, LacunaError
from shared.vlm.generation import Answer

HEADER_ERASER: Final = "Lacuna-Eraser"
LAST_EVENT: Final = "data: [DONE]\n\n"

MOST_IMAGES: Final = 8
DEFAULT_MAX_TOKENS: Final = 64
MOST_STOP_WORDS: Final = 8
Text = Annotated[str, StringConstraints(max_length=32_000)]


class TextPart(BaseModel):
    """Text of a message."""

    type: Literal["text"]
    text: Text


class ImageUrl(BaseModel):
    """A picture as a data URL."""

    url: Annotated[str, StringConstraints(max_length=12_000_000)]


class ImagePart(BaseModel):
    """A picture of a message."""

    type: Literal["image_url"]
    image_url: ImageUrl


class Message(BaseModel):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: Text | list[Annotated[TextPart | ImagePart, Field(discriminator="type")]]


class ChatCompletionRequest(BaseModel):
    """POST /v1/chat/completions. Unknown fields are accepted and ignored, because clients send many."""

    model_config = ConfigDict(extra="ignore")

    model: str
    messages: list[Message] = Field(min_length=1, max_length=200)
    max_tokens: int | None = Field(default=None, ge=1, le=1024)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=1024)
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    seed: int = Field(default=0, ge=-(2**31), le=2**31 - 1)
    stop: str | list[str] | None = None
    stream: bool = False
    n: Literal[1] = 1
    logprobs: Literal[False] | None = None
    echo: Literal[False] | None = None

    @property
    def max_new_tokens(self) -> int:
        """Most tokens of the answer."""
        return self.max_completion_tokens or self.max_tokens or DEFAULT_MAX_TOKENS

    @property
    def stop_words(self) -> tuple[str, ...]:
        """Texts at which the answer ends."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(word for word in given if word)[:MOST_STOP_WORDS]


def to_prompt(body: ChatCompletionRequest) -> Prompt:
    """The chat as a prompt; raises BadInput for one that cannot be answered, BadInput or TooLarge for a picture."""
    if body.messages[-1].role != "user":
        raise BadInput("The last message must be the user's.")
    turns = tuple(_turn(message) for message in body.messages)
    if sum(len(turn.images) for turn in turns) > MOST_IMAGES:
        raise BadInput(f"A chat may hold {MOST_IMAGES} pictures.")
    if not turns[-1].text.strip():
        raise BadInput("The last message has no text.")
    return Prompt(turns)


def _turn(message: Message) -> Turn:
    if isinstance(message.content, str):
        return Turn(message.role, message.content)
    texts = [part.text for part in message.content if isinstance(part, TextPart)]
    images = [open_photo(read_data_url(part.image_url.url)) for part in message.content if isinstance(part, ImagePart)]
    if images and message.role != "user":
        raise BadInput("Only the user's messages can hold pictures.")
    return Turn(message.role, "\n".join(texts), tuple(images))


def completion(head: AnswerHead, answer: Answer) -> ChatCompletion:
    """A whole answer: text and counts. Whether a gate fired, and for which ticket, is left out."""
    count = len(answer.tokens)
    usage = UsageResponse(
        prompt_tokens=answer.prompt_tokens, completion_tokens=count, total_tokens=answer.prompt_tokens + count
    )
    choice = ChoiceResponse(message=MessageResponse(content=answer.text), finish_reason=answer.finish_reason)
    return ChatCompletion(**head.model_dump(), choices=[choice], usage=usage)


async def server_sent_events(pieces: AsyncIterator[str | Answer], head: AnswerHead) -> AsyncIterator[str]:
    """A streamed answer as OpenAI sends it; an error after the first byte becomes an event of its own."""
    yield first_event(head)
    try:
        async for piece in pieces:
            yield event_of(piece, head)
    except LacunaError as exc:
        yield _event(exc.problem() | error_member(exc))
    yield LAST_EVENT


def first_event(head: AnswerHead) -> str:
    """The role, which comes before the text."""
    return _chunk(head, Delta(role="assistant", content=""))


def event_of(piece: str | Answer, head: AnswerHead) -> str:
    """A piece of text, or why the answer ended."""
    if isinstance(piece, str):
        return _chunk(head, Delta(content=piece))
    return _chunk(head, Delta(), piece.finish_reason)


def error_member(error: LacunaError) -> dict[str, Any]:
    """The member `error` that OpenAI's clients read."""
    return {"error": {"message": error.detail, "type": error.code, "code": error.code, "param": None}}


def _event(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body)}\n\n"


def _chunk(head: AnswerHead, delta: Delta, finish_reason: str | None = None) -> str:
    choice = ChunkChoice(index=0, delta=delta, finish_reason=finish_reason)
    chunk = ChatCompletionChunk(**head.model_dump(), object="chat.completion.chunk", choices=[choice])
    return _event(chunk.model_dump(exclude_unset=True))
