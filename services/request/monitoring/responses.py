"""Response models: health, readiness, and the status of the whole installation."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import Field
from sqlalchemy.orm import Session

from services.request.api.responses import ResponseModel, TicketId
from services.request.audit_log import timestamper
from services.request.monitoring.checks import OverdueCheck
from services.request.refits.responses import RefitResponse, refit_response
from shared.db.models.audits import AuditRun
from shared.db.models.erasers import EraserVersion
from shared.db.repositories import audits, refits, rollouts, ticket_search

RECENT: Final = 3  # refits, and audits, that are listed


class HealthResponse(ResponseModel):
    """Whether the process is alive, or ready."""

    status: str = Field(description="alive or ready", examples=["alive"])


class SignInResponse(ResponseModel):
    """How a command line signs in at the OpenID provider; all null where it does not."""

    issuer: str | None = Field(examples=["https://accounts.example.org"])
    client_id: str | None = Field(examples=["lacuna-cli"])
    scope: str | None = Field(examples=["openid offline_access"])


class ReplicaResponse(ResponseModel):
    """A live replica of the inference service and the version that it serves."""

    id: str = Field(examples=["inference-0"])
    version: int | None = Field(examples=[1])
    state: str = Field(examples=["serving"])
    error: str | None


class TimestampStatus(ResponseModel):
    """The newest checkpoint of the audit log that has a time-stamp."""

    size: int = Field(description="The number of leaves under the checkpoint.", examples=[4120])
    at: datetime
    newer_leaves: int = Field(description="Signed leaves that are newer.")


class AlarmResponse(ResponseModel):
    """Something that did not happen in time, and since when that counts."""

    name: str = Field(examples=["refit"])
    sentence: str = Field(examples=["No refit worker takes orders"])
    since: datetime


class AuditStatus(ResponseModel):
    """An audit of a version, and how far it is."""

    version: int = Field(examples=[3])
    kind: str = Field(description="candidate or nightly", examples=["candidate"])
    status: str = Field(examples=["running"])
    verdict: str | None = Field(description="passed or failed; null before the end, and of a nightly one.")
    stage: str | None = Field(examples=["asking about the tickets"])
    progress: dict[str, Any] | None = Field(
        description="How much of the stage is done.", examples=[{"done": 40, "total": 60, "what": "questions"}]
    )
    attempt: int = Field(examples=[1])
    started_at: datetime
    finished_at: datetime | None


class StatusResponse(ResponseModel):
    """The whole installation at a glance."""

    model: str = Field(examples=["demo-vlm"])
    tickets: dict[str, int] = Field(description="By state.", examples=[{"completed": 3}])
    promoted: int | None = Field(description="The number of the version that is served.", examples=[1])
    generation: int | None = Field(description="How often the served version was changed.", examples=[1])
    uncovered: list[TicketId] = Field(
        description="Tickets in force that the served version does not cover.", examples=[[]]
    )
    replicas: list[ReplicaResponse]
    refits: list[RefitResponse] = Field(description="The newest refits.")
    audits: list[AuditStatus] = Field(description="The newest audits.")
    stale: str | None = Field(description="Why the database is older than what was served; null where it is not.")
    time_stamp: TimestampStatus | None
    alarms: list[AlarmResponse] = Field(examples=[[]])


def status_response(
    session: Session, tenant: str, model_id: str, stale: str | None, overdue: Sequence[OverdueCheck]
) -> StatusResponse:
    """The status, with the tickets of one tenant."""
    state = rollouts.desired_state(session, model_id)
    time_stamp = timestamper.state(session)
    return StatusResponse(
        model=model_id,
        tickets=ticket_search.count_by_state(session, tenant),
        promoted=session.get_one(EraserVersion, state.version_id).number if state else None,
        generation=state.generation if state else None,
        uncovered=list(rollouts.uncovered_tickets(session, model_id, state.version_id)) if state else [],
        replicas=[
            ReplicaResponse(id=replica.id, version=replica.version_number, state=replica.state, error=replica.error)
            for replica in rollouts.live_replicas(session, model_id)
        ],
        refits=[refit_response(run) for run in refits.recent_runs(session, model_id, RECENT)],
        audits=[_audit(run, version) for run, version in audits.recent_audits(session, model_id, RECENT)],
        stale=stale,
        time_stamp=TimestampStatus(**time_stamp) if time_stamp else None,
        alarms=[AlarmResponse.model_validate(check) for check in overdue],
    )


def _audit(run: AuditRun, version: int) -> AuditStatus:
    return AuditStatus(
        version=version,
        kind=run.kind,
        status=run.status,
        verdict=run.verdict,
        stage=run.stage,
        progress=run.progress,
        attempt=run.attempt,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )
