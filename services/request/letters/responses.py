"""Response models: drafts of letters, and letters that were recorded."""

import uuid
from datetime import datetime

from pydantic import Field

from services.request.api.responses import AccountName, ResponseModel, Sha256, TicketId
from services.request.letters.drafts import Draft, LetterKind
from services.request.letters.service import RecordedLetter
from shared.db.models.letters import Letter


class LetterDraftResponse(ResponseModel):
    """A letter as its template has it. Nothing is recorded."""

    ticket: TicketId
    kind: LetterKind = Field(examples=["receipt"])
    regime: str = Field(examples=["gdpr"])
    language: str = Field(examples=["en"])
    wanted_language: str | None = Field(
        description="The language that was asked for, where there is no letter in it and this one is English.",
        examples=["fr"],
    )
    gaps: list[str] = Field(description="What has to be filled in before it is recorded.", examples=[["[...]"]])
    text: str = Field(examples=["Example Ltd\n\nWe received your request ..."])


class LetterSummary(ResponseModel):
    """A recorded letter, without its text."""

    id: uuid.UUID
    kind: LetterKind = Field(examples=["receipt"])
    regime: str = Field(examples=["gdpr"])
    language: str = Field(examples=["en"])
    edited: bool = Field(description="Whether its text is another one than the draft.")
    sha256: Sha256
    recorded_by: AccountName
    recorded_at: datetime
    destroyed_at: datetime | None


class LetterList(ResponseModel):
    """The recorded letters of a ticket in order, and the kinds that can be written now."""

    items: list[LetterSummary]
    possible: list[LetterKind] = Field(examples=[["receipt", "information"]])


class LetterResponse(LetterSummary):
    """A recorded letter. A replay of the request that recorded it has null in place of its text."""

    ticket: TicketId
    text: str | None = Field(examples=["Example Ltd\n\nWe received your request ..."])


def letter_summary(letter: Letter) -> LetterSummary:
    """A letter without its text."""
    return LetterSummary.model_validate({name: getattr(letter, name) for name in LetterSummary.model_fields})


def letter_response(recorded: RecordedLetter) -> LetterResponse:
    """A letter with its text."""
    summary = letter_summary(recorded.letter)
    return LetterResponse(**summary.model_dump(), ticket=recorded.letter.ticket_id, text=recorded.text)


def draft_response(ticket: str, draft: Draft) -> LetterDraftResponse:
    """A draft."""
    return LetterDraftResponse(
        ticket=ticket,
        kind=draft.kind,
        regime=draft.regime,
        language=draft.language,
        wanted_language=draft.wanted,
        gaps=draft.gaps,
        text=draft.text,
    )
