"""A prompt as people write it: turns of text and pictures, before any chat template or tokenizer."""

from dataclasses import dataclass
from typing import Literal

from PIL.Image import Image

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Turn:
    """One message of a chat; its pictures come before its text."""

    role: Role
    text: str
    images: tuple[Image, ...] = ()


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
