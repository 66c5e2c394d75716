"""A prompt as people write it: turns of text and pictures, before any chat template or tokenizer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from PIL.Image import Image

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Turn:
    """One message of a chat; its pictures come before its text.

    `extra`: the message's members for engines that take tools (role, content, tool_calls, tool_call_id), empty for an
    ordinary message. What they say stands in `text` too, so that whoever reads the text has read all of it; a message
    that is redacted is sent without them.
    """

    role: Role
    text: str
    images: tuple[Image, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Prompt:
    """A chat in which the assistant has the next turn."""

    turns: tuple[Turn, ...]

    @classmethod
    def ask(cls, text: str, image: Image | None = None, system: str | None = None) -> "Prompt":
        """One question, with or without a picture and a system message."""
        opening = (Turn("system", system),) if system else ()
        return cls((*opening, Turn("user", text, (image,) if image is not None else ())))

    @property
    def images(self) -> tuple[Image, ...]:
        """All pictures, in the order of the chat."""
        return tuple(image for turn in self.turns for image in turn.images)
