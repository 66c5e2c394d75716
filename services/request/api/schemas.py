"""StrictModel and field types that several features use."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.errors import BadInput
from shared.probes.attribute_types import LANGUAGES
from shared.probes.wordings import check_languages

CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufff9-\ufffb]")
TURNS: Final = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff]")  # embeddings, overrides and isolates; byte order marks
BREAKS: Final = re.compile("[\t\n\r\u2028\u2029]")


def _check_line(text: str) -> str:
    if BREAKS.search(text):
        raise PydanticCustomError("line", "has to be one line")
    return text


Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_check_line)
]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Number = Annotated[int, Path(ge=0, le=2**31 - 1, description="The number of a version or a set.")]
Photo = Annotated[str, StringConstraints(min_length=1, max_length=12_000_000)]

LONGEST_ATTRIBUTE: Final = 80


def _check_attribute(text: str) -> str:
    """The name of an attribute: words in any script, with digits and the marks that names have."""
    if not all(unicodedata.category(c)[0] in "LMN" or c in " _-'’./()" for c in text):
        raise PydanticCustomError("attribute", "may have letters, digits, blanks and _ - ' . / ( ) only")
    if not any(c.isalpha() for c in text):
        raise PydanticCustomError("attribute", "has to have a letter")
    return text


Attribute = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_ATTRIBUTE),
    AfterValidator(_check_attribute),
    Field(
        description="what the fact is about, in words or in snake case, in any language", examples=["criminal record"]
    ),
]
Value = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=1000),
    Field(description="the fact, as a value or as a sentence", examples=["was treated for asthma in 2019"]),
]


def _check_language_codes(codes: list[str]) -> list[str]:
    try:
        return list(check_languages(codes))
    except BadInput as exc:  # its sentence repeats the code, which a problem must not do
        known = ", ".join(sorted(LANGUAGES))
        raise PydanticCustomError("language", "have to be among {known}, without a region", {"known": known}) from exc


Languages = Annotated[
    list[Annotated[str, StringConstraints(max_length=12)]],
    Field(max_length=20, examples=[["de", "en"]]),
    AfterValidator(_check_language_codes),
]

Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


class StrictModel(BaseModel):
    """A request body. Unknown fields are an error, so that a misspelt one is noticed.

    No text of it is stored with a control character, which a terminal would obey, or with one that turns the direction
    of what follows: the first are refused, the second are left out.
    """

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_controls(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            return {name: clean_text(value, name if name in cls.model_fields else "") for name, value in given.items()}
        return given


def clean_text(value: Any, name: str = "") -> Any:
    """A text, or those in a list or by name, without characters that turn the direction of writing.

    Raises PydanticCustomError, which says `name`, for control characters; line breaks and tabs are none. What a list
    holds beside texts is as it is: it has a model of its own.
    """
    if isinstance(value, str):
        if CONTROLS.search(value):
            raise PydanticCustomError(
                "control_character", "{name} must not have control characters", {"name": name or "a text"}
            )
        return TURNS.sub("", value)
    if isinstance(value, list):
        return [clean_text(item, name) if isinstance(item, str) else item for item in value]
    if isinstance(value, Mapping):
        return {key: clean_text(item, name) if isinstance(item, str) else item for key, item in value.items()}
    return value


class FactCreate(StrictModel):
    """One fact about a person."""

    attribute: Attribute
    value: Value
    aliases: list[Line] = Field(default_factory=list, max_length=20)


class ReasonBody(StrictModel):
    """A reason."""

    reason: Note
