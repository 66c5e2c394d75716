"""Request bodies of letters."""

from typing import Annotated

from pydantic import Field, StringConstraints

from services.request.api.schemas import StrictModel
from services.request.letters.drafts import LetterKind

LetterText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
LetterLanguage = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]


class LetterRecord(StrictModel):
    """A letter as it is sent. Without `text` it is recorded as its draft has it."""

    kind: LetterKind = Field(examples=["receipt"])
    language: LetterLanguage | None = Field(default=None, examples=["de"], description="of the draft that it began as")
    text: LetterText | None = Field(default=None, examples=["Example Ltd\n\nWe received your request ..."])
