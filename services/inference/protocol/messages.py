"""Messages become a prompt: roles, parts, pictures, and the calls of tools.

The pictures of a message stand before its text, whatever the order of the parts, and its texts are joined by line
breaks: this is how the model families that are served were trained. `name` of a message is not handed on.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from services.inference.engines.base import AnswerEngine
from services.inference.protocol.bodies import Members
from services.inference.protocol.errors import unsupported
from services.inference.protocol.pictures import PictureReader
from shared.domain.prompts import Prompt, Role, Turn
from shared.errors import BadInput
from shared.vlm.sampling import context_exceeded

MOST_IMAGES: Final = 8
MOST_MESSAGES: Final = 1000
MOST_CHARACTERS: Final = 4_000_000  # of one text
CHARACTERS_PER_TOKEN: Final = 32  # more than any tokenizer gets out of a text; a longer one need not be tokenised
ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "user",  # an engine that takes tools is told the role in `Turn.extra`
    "function": "user",
}

Text = Annotated[str, StringConstraints(max_length=MOST_CHARACTERS)]


def _url_of(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


class TextPart(Members):
    """Text of a message."""

    type: Literal["text", "input_text", "output_text"]
    text: Text


class RefusalPart(Members):
    """What the assistant said when it declined."""

    type: Literal["refusal"]
    refusal: Text


class ImageUrl(Members):
    """A picture as a data URL, or the address of one. `detail` is ignored."""

    url: str


class ImagePart(Members):
    """A picture of a message."""

    type: Literal["image_url", "input_image"]
    image_url: Annotated[ImageUrl, BeforeValidator(_url_of)]


def _as_parts(value: Any) -> Any:
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if not isinstance(value, list):
        return value
    return [{"type": "text", "text": part} if isinstance(part, str) else part for part in value]


Part = Annotated[TextPart | RefusalPart | ImagePart, Field(discriminator="type")]
Content = Annotated[list[Part], Field(max_length=1000), BeforeValidator(_as_parts)]


class Message(Members):
    """One turn of a chat."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content = Field(default_factory=list)
    tool_calls: list[dict[str, Any]] = Field(default_factory=list, max_length=128)
    tool_call_id: Annotated[str, StringConstraints(max_length=256)] | None = None


@dataclass(frozen=True)
class Said:
    """A message before its pictures are read; `at` is its place in the request, for refusals."""

    at: str
    role: str
    texts: Sequence[str] = ()
    picture_urls: Sequence[str] = ()
    tool_calls: Sequence[Mapping[str, Any]] = ()
    tool_call_id: str | None = None

    @classmethod
    def of(cls, message: Message, at: str) -> "Said":
        """A message of the chat."""
        texts, urls = split(message.content)
        return cls(at, message.role, texts, urls, message.tool_calls, message.tool_call_id)

    @property
    def text(self) -> str:
        """All that is handed on of it, the calls of tools and their ids included, so that a gate reads those too."""
        told = [*self.texts, *(_text_of_call(call) for call in self.tool_calls)]
        return "\n".join([*told, str(self.extra["tool_call_id"])] if "tool_call_id" in self.extra else told)

    @property
    def extra(self) -> dict[str, Any]:
        """The members for engines that take tools, with the content as it came; empty for an ordinary message."""
        if not self.tool_calls and self.role not in ("tool", "function"):
            return {}
        members: dict[str, Any] = {"role": self.role, "content": "\n".join(self.texts)}
        if self.tool_calls:
            members["tool_calls"] = list(self.tool_calls)
        if self.tool_call_id is not None:
            members["tool_call_id"] = self.tool_call_id
        return members


def _text_of_call(call: Mapping[str, Any]) -> str:
    """A call as text. Its arguments are JSON inside JSON: they are decoded, since a model may be shown them so."""
    lines = [json.dumps(call, ensure_ascii=False)]
    function = call.get("function")
    arguments = function.get("arguments") if isinstance(function, Mapping) else None
    if isinstance(arguments, str):
        with contextlib.suppress(ValueError, RecursionError):
            lines.append(json.dumps(json.loads(arguments), ensure_ascii=False))
    return "\n".join(lines)


def split(content: Sequence[TextPart | RefusalPart | ImagePart]) -> tuple[list[str], list[str]]:
    """The texts and the addresses of the pictures of a message."""
    texts, urls = [], []
    for part in content:
        if isinstance(part, ImagePart):
            urls.append(part.image_url.url)
        else:
            texts.append(part.text if isinstance(part, TextPart) else part.refusal)
    return texts, urls


async def read_prompt(said: Sequence[Said], engine: AnswerEngine, pictures: PictureReader) -> Prompt:
    """The messages as a prompt for `engine`; raises BadInput, TooLarge or NotReady."""
    _check(said, engine)
    urls = [(f"{message.at}.content", url) for message in said for url in message.picture_urls]
    if len(urls) > MOST_IMAGES:
        raise BadInput(f"A chat may hold {MOST_IMAGES} pictures.", param=urls[MOST_IMAGES][0])
    opened = iter(await pictures.read(urls))
    turns = [
        Turn(ROLES[each.role], each.text, tuple(next(opened) for _ in each.picture_urls), each.extra) for each in said
    ]
    return Prompt(tuple(turns))


def _check(said: Sequence[Said], engine: AnswerEngine) -> None:
    for message in said:
        if message.extra and "tools" not in engine.passes:
            raise unsupported(
                f"{message.at}.{'tool_calls' if message.tool_calls else 'role'}",
                "Messages of tools are not supported by this model's engine.",
            )
        if message.picture_urls and message.role != "user":
            raise BadInput("Only the user's messages can hold pictures.", param=f"{message.at}.content")
        if message.picture_urls and not engine.reads_pictures:
            raise unsupported(f"{message.at}.content", "This model reads no pictures.")
    last = said[-1]
    if ROLES[last.role] != "user":
        raise BadInput("The last message must be the user's.", param=f"{last.at}.role")
    if not last.text.strip():
        raise BadInput("The last message has no text.", param=f"{last.at}.content")
    characters = sum(len(message.text) for message in said)
    if characters > engine.context * CHARACTERS_PER_TOKEN:
        raise context_exceeded(engine.context, characters // CHARACTERS_PER_TOKEN, 1)
