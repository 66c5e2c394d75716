"""Response models: a request for access to an audit kit, and the kit's content once it is opened."""

from datetime import datetime

from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.request.api.responses import AccountName, ItemList, ResponseModel, TicketId
from shared.core.clock import utc_now
from shared.db.models.audit_kits import KitAccess, KitOpening
from shared.domain.subjects import Fact


class KitAccessResponse(ResponseModel):
    """A request for access to the audit kit of a ticket. It says nothing of what the kit holds."""

    id: str = Field(examples=["6f1c4a52-0f2e-4d0a-9d3f-5a0c7b9f1e11"])
    ticket: TicketId
    state: str = Field(description="asked, allowed or ended", examples=["asked"])
    reason: str = Field(examples=["The person complained to the supervisory authority."])
    minutes: int = Field(description="How long the kit may be opened.", examples=[60])
    asked_by: AccountName = Field(examples=["ada"])
    asked_at: datetime
    allowed_by: AccountName | None
    allowed_at: datetime | None
    expires_at: datetime | None
    ended_by: AccountName | None
    ended_at: datetime | None
    openings: int = Field(description="How often the kit was opened.")


class KitAccessList(ItemList[KitAccessResponse]):
    """Requests for access, the newest first."""


class FactResponse(ResponseModel):
    """One fact about the person."""

    attribute: str = Field(examples=["employer"])
    value: str = Field(examples=["Marble & Finch"])
    aliases: list[str] = Field(examples=[["Marble and Finch"]])


class OpenedKitResponse(KitAccessResponse):
    """An opened audit kit. A replay of the request has null in place of its content."""

    names: list[str] | None = Field(examples=[["Mara Lindqvist"]])
    facts: list[FactResponse] | None
    photos: list[str] | None = Field(
        description="Small pictures as data URLs.", examples=[["data:image/png;base64,..."]]
    )


def access_response(session: Session, access: KitAccess) -> KitAccessResponse:
    """A request for access, with the number of openings so far."""
    openings = select(func.count()).select_from(KitOpening).where(KitOpening.access_id == access.id)
    return KitAccessResponse(
        id=str(access.id),
        ticket=access.ticket_id,
        state=_state(access),
        reason=access.reason,
        minutes=access.minutes,
        asked_by=access.asked_by,
        asked_at=access.asked_at,
        allowed_by=access.allowed_by,
        allowed_at=access.allowed_at,
        expires_at=access.expires_at,
        ended_by=access.ended_by,
        ended_at=access.ended_at,
        openings=session.scalar(openings) or 0,
    )


def fact_response(fact: Fact) -> FactResponse:
    """One fact."""
    return FactResponse(attribute=fact.attribute, value=fact.value, aliases=list(fact.aliases))


def _state(access: KitAccess) -> str:
    if access.ended_at is not None or (access.expires_at is not None and access.expires_at <= utc_now()):
        return "ended"
    return "allowed" if access.allowed_at else "asked"
