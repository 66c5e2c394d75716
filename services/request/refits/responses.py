"""Response models: a refit, and the order of one."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from services.request.api.responses import ItemList, ResponseModel
from shared.db.models.refits import RefitRun


class RefitResponse(ResponseModel):
    """One run of the refit, and how far it is."""

    id: UUID
    kind: str = Field(description="nightly, urgent or forward", examples=["urgent"])
    status: str = Field(examples=["succeeded"])
    stage: str | None
    progress: dict[str, Any] | None
    attempt: int = Field(examples=[1])
    started_at: datetime
    finished_at: datetime | None
    seconds: dict[str, Any] | None = Field(description="How long each stage took.")
    notes: list[str] = Field(description="What whoever looks at the run should know.")
    error: str | None


class RefitList(ItemList[RefitResponse]):
    """Refits, the newest first."""


class RefitOrderResponse(ResponseModel):
    """An order; the refit will have its id."""

    id: UUID
    status: Literal["ordered"]


def refit_response(run: RefitRun) -> RefitResponse:
    """One refit."""
    return RefitResponse(
        id=run.id,
        kind=run.kind,
        status=run.status,
        stage=run.stage,
        progress=run.progress,
        attempt=run.attempt,
        started_at=run.started_at,
        finished_at=run.finished_at,
        seconds=run.seconds,
        notes=run.notes or [],
        error=run.error,
    )
