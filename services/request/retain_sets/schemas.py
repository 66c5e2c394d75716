"""Request bodies: a retain set and its rows."""

from typing import Annotated, Any, Final

from pydantic import Field, model_validator

from services.request.api.schemas import FactCreate, Line, Photo, Slug, StrictModel
from shared.domain.splits import Split

MOST_ROWS: Final = 20_000


class RetainSetRow(StrictModel):
    """One row: a person (`names` with `facts` or `photos`), or a `prompt`, perhaps with one of `photos`."""

    id: Line | None = None
    names: list[Line] = Field(default_factory=list, max_length=10)
    photos: list[Photo] = Field(default_factory=list, max_length=10)
    facts: list[FactCreate] = Field(default_factory=list, max_length=100)
    prompt: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    visible: dict[Slug, Line] = Field(default_factory=dict)
    split: Split | None = None

    @model_validator(mode="after")
    def _is_person_or_prompt(self) -> "RetainSetRow":
        if self.prompt is None:
            if not self.names:
                raise ValueError("a row needs names (a person) or a prompt")
            if not (self.facts or self.photos):
                raise ValueError("a person needs facts or photos, else nothing can be asked")
        elif self.names or self.facts or len(self.photos) > 1:
            raise ValueError("a prompt has no names and no facts, and one photo at most")
        return self

    @property
    def identity(self) -> str:
        """Who or what the row is about: its id, else its first name, else its text."""
        return self.id or (" ".join(self.names[0].casefold().split()) if self.names else f"prompt {self.prompt}")


class RetainSetCreate(StrictModel):
    """A retain set. Rows are checked one by one, so that the report names each that cannot be used."""

    rows: list[dict[str, Any]] = Field(max_length=MOST_ROWS)
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="of the split of identities that state none")
    dry_run: bool = Field(default=False, description="report only; nothing is kept")
    leave_out: bool = Field(default=False, description="leave out rows about somebody who is forgotten")
