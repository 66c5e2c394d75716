"""OpenAI's chat bodies, as far as they are served, and how they become prompts. Knows no model and no eraser.

What a client sends is questions and sampling, nothing else: no field reaches the eraser.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.artifacts.photos import open_photo, read_data_url
from shared.domain.prompts import Prompt, Turn
from shared.errors import BadInput

HEADER_ERASER: Final = "Lacuna-Eraser"

MOST_IMAGES: Final = 8
Text = Annotated[str, StringConstraints(max_length=32_000)]


class TextPart(BaseModel):
    """Words of a message."""

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
    """One turn."""

    role: Literal["system", "user", "assistant"]
    content: Text | list[Annotated[TextPart | ImagePart, Field(discriminator="type")]]


class ChatCompletionRequest(BaseModel):
    """POST /v1/chat/completions. Fields that change nothing here are accepted and ignored, as clients send them."""

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
    def most(self) -> int:
        """Tokens of the answer, at most."""
        return self.max_completion_tokens or self.max_tokens or 64

    @property
    def stops(self) -> tuple[str, ...]:
        """Words at which the answer ends."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(word for word in given if word)[:8]


def to_prompt(body: ChatCompletionRequest) -> Prompt:
    """The chat as a prompt; raises BadInput or TooLarge for a picture, BadInput for turns that cannot be answered."""
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


def chunk(head: dict[str, Any], delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    """One `chat.completion.chunk`."""
    return head | {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
