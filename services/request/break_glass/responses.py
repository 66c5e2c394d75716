"""Response models: a break-glass access with its ledger of exposures."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.api.preconditions import etag
from services.request.api.responses import AccountName, ItemList, ResponseModel, TicketId
from services.request.break_glass import service
from shared.db.models.erasers import BreakGlass, EraserVersion, Exposure

State = Literal["asked", "open", "ended"]


class ExposureResponse(ResponseModel):
    """How long one person was exposed: from the promotion until no replica exposed them any more."""

    ticket: TicketId
    started_at: datetime
    ended_at: datetime | None
    seconds: float | None = Field(description="Known when the exposure has ended.")


class BreakGlassResponse(ResponseModel):
    """A version that may expose people for a time: asked for by one person, confirmed by another."""

    id: UUID
    state: State
    version: int = Field(examples=[3])
    reason: str = Field(examples=["The newest version fails in production."])
    minutes: int = Field(examples=[30])
    asked_by: AccountName = Field(examples=["rosa"])
    asked_at: datetime
    confirmed_by: AccountName | None = Field(examples=["viktor"])
    confirmed_at: datetime | None
    expires_at: datetime | None
    ended_by: AccountName | None
    ended_at: datetime | None
    tickets: list[TicketId] = Field(description="Whom it exposes.")
    exposure: list[ExposureResponse]


class BreakGlassList(ItemList[BreakGlassResponse]):
    """Break-glass accesses, the newest first."""


def state_of(access: BreakGlass) -> State:
    """How far the access is; it only goes forward."""
    return "ended" if access.ended_at else "open" if access.confirmed_at else "asked"


def break_glass_etag(access: BreakGlass) -> str:
    """The ETag of an access is its state."""
    return etag(state_of(access))


def break_glass_response(session: Session, access: BreakGlass) -> BreakGlassResponse:
    """An access with its exposures so far."""
    ledger = select(Exposure).where(Exposure.break_glass_id == access.id).order_by(Exposure.ticket_id)
    return BreakGlassResponse(
        id=access.id,
        state=state_of(access),
        version=session.get_one(EraserVersion, access.version_id).number,
        reason=access.reason,
        minutes=access.minutes,
        asked_by=access.asked_by,
        asked_at=access.asked_at,
        confirmed_by=access.confirmed_by,
        confirmed_at=access.confirmed_at,
        expires_at=access.expires_at,
        ended_by=access.ended_by,
        ended_at=access.ended_at,
        tickets=service.exposed_ticket_ids(session, access.id),
        exposure=[
            ExposureResponse(
                ticket=exposure.ticket_id,
                started_at=exposure.started_at,
                ended_at=exposure.ended_at,
                seconds=exposure.seconds,
            )
            for exposure in session.scalars(ledger)
        ],
    )
