"""The person whom a ticket is about: names, photographs and facts."""

from dataclasses import dataclass

from PIL.Image import Image


@dataclass(frozen=True)
class Fact:
    """One thing that is known of a person. An answer that contains an alias reveals the fact too."""

    attribute: str
    value: str
    aliases: tuple[str, ...] = ()

    @property
    def accept(self) -> tuple[str, ...]:
        """All spellings that reveal the fact."""
        return (self.value, *self.aliases)


def fact_key(attribute: str, value: str) -> str:
    """By which equal facts are found: `criminal record` and `criminal_record` are one attribute."""
    return f"{attribute.casefold().replace(' ', '_')}={value}"


@dataclass(frozen=True)
class Subject:
    """A person as a ticket describes them. The first name is the usual one.

    `languages`: BCP 47 primary subtags of the languages in which the person is asked about.
    """

    names: tuple[str, ...]
    photos: tuple[Image, ...]
    facts: tuple[Fact, ...]
    languages: tuple[str, ...] = ("en",)
