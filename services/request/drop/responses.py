"""Response models: a download of DROP, whom it matched, and the files that answer it."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from services.request.api.responses import ItemList, ResponseModel, Sha256, TicketId


class DropListResponse(ResponseModel):
    """A download of DROP and how far it is."""

    id: UUID
    status: str = Field(description="waiting, succeeded or failed", examples=["waiting"])
    fetched: bool = Field(description="whether it was fetched from the platform, to which the answers go then")
    sha256: Sha256
    received_at: datetime = Field(description="from when the 45 days count")
    rows: int = Field(description="work items", examples=[2])
    matched: int = Field(description="work items that somebody in the register has", examples=[1])
    removed: int = Field(description="requests that people took back", examples=[0])
    tickets: int = Field(examples=[1])
    error: str | None
    attempts: int = Field(description="how often it was tried in vain", examples=[0])
    next_at: datetime | None = Field(description="when it is tried again", examples=[None])
    created_at: datetime
    finished_at: datetime | None


class DropListList(ItemList[DropListResponse]):
    """The newest downloads."""


class DropMatchResponse(ResponseModel):
    """A work item that matched somebody in the register."""

    item: str = Field(examples=["A7kP2xQ9Lm4R"])
    ticket: TicketId | None
    problem: str | None = Field(description="why there is no ticket", examples=[None])
    removed: bool = Field(description="whether the person took the request back")
    status: int | None = Field(description="2 exempted, 3 deleted, 4 opted out, 5 not found; null: not decided")
    reported: int | None = Field(description="the status that the platform was sent")


class DropMatchList(ItemList[DropMatchResponse]):
    """All matches of a download."""


class DropResponseFile(ResponseModel):
    """A file as the platform takes it."""

    name: str = Field(examples=["20260312_4821_Email.csv"])
    content: str = Field(examples=["Id,Status\nA7kP2xQ9Lm4R,5\n"])
    rows: int = Field(examples=[1])
    undecided: int = Field(description="work items without a status yet, which are left out", examples=[0])


class DropReportResponse(ItemList[DropResponseFile]):
    """The files that answer a download."""
