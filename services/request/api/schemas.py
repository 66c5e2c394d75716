"""StrictModel and field types that several features use."""

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Number = Annotated[int, Path(ge=0, le=2**31 - 1, description="The number of a version or a set.")]
Photo = Annotated[str, StringConstraints(min_length=1, max_length=12_000_000)]

Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


class StrictModel(BaseModel):
    """A request body. Unknown fields are an error, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid")


class FactCreate(StrictModel):
    """One fact about a person."""

    attribute: Slug
    value: Line
    aliases: list[Line] = Field(default_factory=list, max_length=20)


class ReasonBody(StrictModel):
    """A reason."""

    reason: Note
