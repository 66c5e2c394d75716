"""StrictModel and field types that several features use."""

import unicodedata
from typing import Annotated, Final

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from shared.errors import BadInput
from shared.probes.attribute_types import LANGUAGES
from shared.probes.wordings import check_languages

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
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
    """A request body. Unknown fields are an error, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid")


class FactCreate(StrictModel):
    """One fact about a person."""

    attribute: Attribute
    value: Value
    aliases: list[Line] = Field(default_factory=list, max_length=20)


class ReasonBody(StrictModel):
    """A reason."""

    reason: Note
