"""What the refit service reads and writes. Every write carries its fence: a worker that lost its lease is told."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.core.task_names import QUEUE_REFIT, TASK_REFIT
from shared.db.models.operations import Outbox
from shared.db.models.refits import RefitRun, RefitRunTicket
from shared.db.models.tenancy import Model
from shared.db.repositories.leases import Claim
from shared.domain.nightly import nightly_run_id
from shared.errors import Conflict, NotFound

FINAL = ("succeeded", "nothing_to_do", "failed")


def get_model(session: Session, model_id: str) -> Model:
    """The model; raises NotFound."""
    model = session.get(Model, model_id)
    if model is None:
        raise NotFound(f"There is no model {model_id}.")
    return model


def claim_run(
    session: Session,
    run_id: str,
    model_id: str,
    kind: str,
    *,
    period: str | None = None,
    recipe: str | None = None,
    lease_s: float,
) -> Claim | None:
    """Take the run, making its row where it is new; None where it is in other hands or another run has its period."""
    now = utc_now()
    session.execute(
        insert(RefitRun)
        .values(
            id=uuid.UUID(run_id),
            model_id=model_id,
            kind=kind,
            period=period,
            recipe=recipe,
            status="waiting",
            attempt=0,
            fence=0,
            started_at=now,
        )
        .on_conflict_do_nothing()
    )
    run = session.scalar(select(RefitRun).where(RefitRun.id == uuid.UUID(run_id)).with_for_update())
    if run is None:
        return None
    if run.status in FINAL:
        return Claim(run.fence, already_done=True)
    if run.status == "running" and run.lease_until is not None and run.lease_until > now:
        return None
    run.status, run.stage, run.error = "running", "claimed", None
    run.attempt += 1
    run.fence += 1
    run.lease_until = now + timedelta(seconds=lease_s)
    return Claim(run.fence)


def heartbeat(
    session: Session, run_id: str, fence: int, stage: str, lease_s: float, progress: Mapping[str, Any] | None = None
) -> None:
    """Prolong the lease, and say how far the run is; raises Conflict where the lease is lost."""
    lease = utc_now() + timedelta(seconds=lease_s)
    _fenced(session, run_id, fence, stage=stage, lease_until=lease, progress=dict(progress) if progress else None)


def set_notes(session: Session, run_id: str, fence: int, notes: Sequence[str]) -> None:
    """What whoever looks at the run should know; raises Conflict where the lease is lost."""
    _fenced(session, run_id, fence, notes=list(notes))


def finish_run(
    session: Session,
    run_id: str,
    fence: int,
    status: str,
    *,
    error: str | None = None,
    version_id: uuid.UUID | None = None,
    seconds: Mapping[str, float] | None = None,
) -> None:
    """End the run, or leave it `waiting` for another try; raises Conflict where the lease is lost."""
    values: dict[str, Any] = {"status": status, "error": error, "lease_until": None}
    if status in FINAL:
        values["finished_at"] = utc_now()
    if version_id is not None:
        values["version_id"] = version_id
    if seconds is not None:
        values["seconds"] = dict(seconds)
    _fenced(session, run_id, fence, **values)


def _fenced(session: Session, run_id: str, fence: int, **values: Any) -> None:
    changed = session.execute(
        update(RefitRun)
        .where(RefitRun.id == uuid.UUID(run_id), RefitRun.fence == fence, RefitRun.status == "running")
        .values(**{"fence": fence, **values})
        .returning(RefitRun.id)
    ).first()
    if changed is None:
        raise Conflict(f"Refit {run_id} is in other hands.")


def set_ticket_outcome(
    session: Session, run_id: str, fence: int, ticket_id: str, outcome: str, detail: str | None = None
) -> None:
    """What the run did with the ticket, and why in a sentence; raises Conflict where the lease is lost."""
    _fenced(session, run_id, fence)
    values = {"run_id": uuid.UUID(run_id), "ticket_id": ticket_id, "outcome": outcome, "at": utc_now()}
    values["detail"] = detail
    session.execute(
        insert(RefitRunTicket)
        .values(**values)
        .on_conflict_do_update(
            index_elements=["run_id", "ticket_id"], set_={"outcome": outcome, "at": values["at"], "detail": detail}
        )
    )


def order_refit(session: Session, model_id: str, kind: str, *, recipe: str | None = None) -> uuid.UUID:
    """Order a refit in the caller's transaction; the run will have this id. `recipe` is that of a forward rollback."""
    order = uuid.uuid4()
    more = {"recipe": recipe} if recipe else {}
    session.add(
        Outbox(
            id=order,
            queue=QUEUE_REFIT,
            task=TASK_REFIT,
            kwargs={"run": str(order), "model": model_id, "kind": kind} | more,
            created_at=utc_now(),
            attempts=0,
        )
    )
    return order


def order_nightly_refit(session: Session, model_id: str, night: date) -> uuid.UUID | None:
    """Order the refit of a night in the caller's transaction; None where it was ordered before.

    The order's id is that of the night (`nightly_run_id`), so that a night is ordered once, whoever orders it.
    """
    order = nightly_run_id(model_id, night)
    kwargs = {"run": str(order), "model": model_id, "kind": "nightly", "period": night.isoformat()}
    return session.scalar(
        insert(Outbox)
        .values(id=order, queue=QUEUE_REFIT, task=TASK_REFIT, kwargs=kwargs, created_at=utc_now(), attempts=0)
        .on_conflict_do_nothing()
        .returning(Outbox.id)
    )


def recent_runs(session: Session, model_id: str, limit: int) -> list[RefitRun]:
    """Newest first."""
    found = select(RefitRun).where(RefitRun.model_id == model_id)
    return list(session.scalars(found.order_by(RefitRun.started_at.desc()).limit(limit)))
