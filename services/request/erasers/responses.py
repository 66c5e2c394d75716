"""Response models: a version of the eraser, its audit, and an order to roll forward."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from services.request.api.preconditions import etag
from services.request.api.responses import ItemList, ResponseModel, Sha256, TicketId
from shared.db.models.audits import AuditRun
from shared.db.models.erasers import DesiredState, EraserVersion
from shared.db.repositories import audits as audits_repository
from shared.db.repositories import erasers


class EraserVersionResponse(ResponseModel):
    """A version of the eraser with the verdict of its newest audit."""

    number: int = Field(examples=[1])
    model: str = Field(examples=["demo-vlm"])
    recipe: str = Field(examples=["lacuna"])
    sha256: Sha256
    size_bytes: int
    created_at: datetime
    tickets: list[TicketId] = Field(description="The tickets that it covers.")
    coverage_root: str | None = Field(description="The Merkle root over its tickets, to which its manifest commits.")
    audit: str = Field(description="The verdict; before there is one, the state of the audit.", examples=["passed"])
    promoted: bool = Field(description="Whether every replica has to serve it.", examples=[True])


class EraserVersionList(ItemList[EraserVersionResponse]):
    """Versions, the newest first."""


class EraserDetailResponse(EraserVersionResponse):
    """A version with its manifest and the signed envelope (DSSE) of that."""

    manifest: dict[str, Any]
    envelope: dict[str, Any]


class AuditResponse(ResponseModel):
    """The newest audit of a version as a candidate, or the newest nightly audit, which has no verdict."""

    number: int = Field(examples=[1])
    status: str = Field(examples=["succeeded"])
    verdict: str | None = Field(examples=["passed"])
    reasons: list[str]
    error: str | None
    report: dict[str, Any] | None


class NightlyOrderResponse(ResponseModel):
    """An order to ask more about the version that is served."""

    id: UUID
    status: Literal["ordered"]
    version: int = Field(description="The number of the version.", examples=[3])


class ForwardOrderResponse(ResponseModel):
    """An order to build a new version by the recipe of an older one."""

    id: UUID
    status: Literal["ordered"]
    like: int = Field(description="The number of the older version.", examples=[3])


def desired_state_etag(state: DesiredState | None) -> str:
    """The ETag of the desired state; every promotion and rollback changes it."""
    return etag(f"g{state.generation if state else 0}")


def version_response(session: Session, version: EraserVersion, state: DesiredState | None) -> EraserVersionResponse:
    """A version, where `state` is the desired state of its model."""
    audits = audits_repository.list_audits(session, version.id)
    return EraserVersionResponse(
        number=version.number,
        model=version.model_id,
        recipe=version.recipe,
        sha256=version.sha256,
        size_bytes=version.size_bytes,
        created_at=version.created_at,
        tickets=erasers.covered_ticket_ids(session, version.id),
        coverage_root=version.coverage_root,
        audit=(audits[0].verdict or audits[0].status) if audits else "queued",
        promoted=state is not None and state.version_id == version.id,
    )


def audit_response(number: int, audit: AuditRun) -> AuditResponse:
    """An audit of version `number`."""
    return AuditResponse(
        number=number,
        status=audit.status,
        verdict=audit.verdict,
        reasons=audit.reasons or [],
        error=audit.error,
        report=audit.report,
    )
