"""Subject, Fact: the person a ticket is about."""

from dataclasses import dataclass

from PIL.Image import Image


@dataclass(frozen=True)
class Fact:
    """One thing that is known of a person. `aliases` are other spellings that count as telling it."""

    attribute: str
    value: str
    aliases: tuple[str, ...] = ()

    @property
    def accept(self) -> tuple[str, ...]:
        """All spellings that tell the fact."""
        return (self.value, *self.aliases)


@dataclass(frozen=True)
class Subject:
    """A person as a ticket speaks of one: names (the first is the usual one), photographs, facts."""

    names: tuple[str, ...]
    photos: tuple[Image, ...]
    facts: tuple[Fact, ...]
