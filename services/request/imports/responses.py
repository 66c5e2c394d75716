"""Response models: an import job, and what became of each row of its file."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from services.request.api.responses import Page, ResponseModel, TicketId


class ImportJobResponse(ResponseModel):
    """An import job and how far it is."""

    id: UUID
    status: str = Field(description="waiting, succeeded or failed", examples=["waiting"])
    dry_run: bool
    rows: int = Field(examples=[2])
    done: int
    accepted: int
    refused: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None


class ImportRowResponse(ResponseModel):
    """What became of one row: a ticket, or a problem that does not repeat what stood in the row."""

    row: int = Field(examples=[1])
    ticket: TicketId | None
    duplicate_of: TicketId | None = Field(description="Where the ticket says nothing that an earlier one does not say.")
    problem: str | None = Field(examples=["facts: is empty."])


class ImportRowPage(Page[ImportRowResponse]):
    """Rows of a file, in its order."""
