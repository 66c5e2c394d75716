"""Response models: a tenant, and a tenant that two administrators add."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.api.responses import AccountName, ItemList, ResponseModel
from shared.core.clock import utc_now
from shared.db.models.tenancy import Person, TenantRequest
from shared.domain.four_eyes import REQUEST_STANDS_FOR


class TenantResponse(ResponseModel):
    """An organisation that uses this installation."""

    name: str = Field(examples=["acme"])
    model: str | None = Field(description="The model that it has in use.", examples=["demo-vlm.acme"])
    operates: bool = Field(description="Whether its administrators also operate the installation.")
    promoted: int | None = Field(description="The number of the version that has to be served.", examples=[3])
    tickets: int = Field(description="How many it has, in all states.", examples=[12])
    people: int = Field(description="How many accounts it has that are not disabled.", examples=[4])
    created_at: datetime
    set_up_at: datetime | None


class TenantList(ItemList[TenantResponse]):
    """Tenants, in the order in which they were added."""


class KeyPart(ResponseModel):
    """Half of the key of a new tenant's administrator, to be given to that person alone."""

    name: AccountName = Field(examples=["anna"])
    key_part: str | None = Field(description="A replay of the request has null here.", examples=["lk_..."])


class TenantRequestResponse(ResponseModel):
    """A tenant that one administrator of the operating tenant asks to add, and another one confirms."""

    id: UUID
    state: Literal["asked", "confirmed", "ended", "lapsed"]
    tenant: str = Field(examples=["acme"])
    model: str = Field(examples=["demo-vlm.acme"])
    administrators: list[str] = Field(examples=[["anna", "boris"]])
    asked_by: AccountName = Field(examples=["rosa"])
    asked_at: datetime
    confirmed_by: AccountName | None = Field(examples=["viktor"])
    confirmed_at: datetime | None
    ended_by: AccountName | None
    ended_at: datetime | None
    key_parts: list[KeyPart] | None = Field(
        default=None,
        description="The first half of each key where the tenant is asked for, the second where it is confirmed. The "
        "person joins both with a full stop. A replay of the request has null here.",
    )


class TenantRequestList(ItemList[TenantRequestResponse]):
    """Tenants that were asked for, the newest first."""


def request_responses(
    session: Session, requests: Sequence[TenantRequest], parts: Mapping[str, str] | None = None
) -> list[TenantRequestResponse]:
    """Requests with the names of those who asked, confirmed and ended them; `parts` are halves of keys by name."""
    ids = {person for each in requests for person in (each.asked_by, each.confirmed_by, each.ended_by)}
    rows = session.execute(select(Person.id, Person.name).where(Person.id.in_(ids - {None}))).all()
    names: dict[UUID | None, str] = {row.id: row.name for row in rows}
    key_parts = [KeyPart(name=name, key_part=part) for name, part in parts.items()] if parts else None
    return [
        TenantRequestResponse(
            id=each.id,
            state=_state(each),
            tenant=each.tenant_id,
            model=each.model_id,
            administrators=each.administrators,
            asked_by=names[each.asked_by],
            asked_at=each.asked_at,
            confirmed_by=names.get(each.confirmed_by),
            confirmed_at=each.confirmed_at,
            ended_by=names.get(each.ended_by),
            ended_at=each.ended_at,
            key_parts=key_parts,
        )
        for each in requests
    ]


def _state(request: TenantRequest) -> Literal["asked", "confirmed", "ended", "lapsed"]:
    if request.confirmed_at is not None:
        return "confirmed"
    if request.ended_at is not None:
        return "ended"
    return "lapsed" if utc_now() - request.asked_at > REQUEST_STANDS_FOR else "asked"
