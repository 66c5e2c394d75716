"""Response models: the acceptance of an older database, and the high-water mark."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from services.request.api.responses import AccountName, ItemList, ResponseModel
from shared.db.models.operations import RestoreAcceptance


class MarkResponse(ResponseModel):
    """How far a database had come: each number only grows."""

    generation: int = Field(description="Generation of the desired state.", examples=[9])
    version: int = Field(description="Number of the newest version.", examples=[8])
    log_size: int = Field(examples=[4120])


class SignedMarkResponse(ResponseModel):
    """The high-water mark in the object store, to be checked with the public keys of the log."""

    mark: str = Field(description="The text that is signed.", examples=["{...}"])
    signature: str | None = Field(description="Ed25519, in base64.")


class RestoreResponse(ResponseModel):
    """The acceptance of a database that is older than its mark: asked for by one admin, confirmed by another."""

    id: UUID
    state: Literal["asked", "accepted"]
    model: str = Field(description="Whose mark is lowered.", examples=["demo-vlm"])
    reason: str = Field(examples=["The primary and its newest backup are lost."])
    mark: MarkResponse = Field(description="How far the database had come.")
    present: MarkResponse = Field(description="How far it had come when the acceptance was asked for.")
    checkpoint: str = Field(description="The newest signed checkpoint in the object store then.")
    asked_by: AccountName = Field(examples=["rosa"])
    asked_at: datetime
    confirmed_by: AccountName | None = Field(examples=["viktor"])
    confirmed_at: datetime | None


class RestoreList(ItemList[RestoreResponse]):
    """Acceptances, the newest first."""

    mark: SignedMarkResponse | None = Field(description="The high-water mark that stands.")


def restore_response(acceptance: RestoreAcceptance) -> RestoreResponse:
    """One acceptance."""
    return RestoreResponse(
        id=acceptance.id,
        model=acceptance.model_id,
        state="accepted" if acceptance.confirmed_at else "asked",
        reason=acceptance.reason,
        mark=MarkResponse(**acceptance.mark),
        present=MarkResponse(**acceptance.present),
        checkpoint=acceptance.checkpoint,
        asked_by=acceptance.asked_by,
        asked_at=acceptance.asked_at,
        confirmed_by=acceptance.confirmed_by,
        confirmed_at=acceptance.confirmed_at,
    )


def signed_mark_response(exported: dict[str, Any] | None) -> SignedMarkResponse | None:
    """The mark as `high_water_mark.export` gives it."""
    return SignedMarkResponse(**exported) if exported is not None else None
