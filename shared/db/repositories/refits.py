"""Refits: order, claim, renew and finish. Every write of a worker carries its fence (leases.py)."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import exists, select, union_all
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.core.task_names import QUEUE_REFIT, TASK_REFIT
from shared.db.models.erasers import EraserVersion
from shared.db.models.operations import Outbox
from shared.db.models.refits import RefitRun, RefitRunTicket
from shared.db.models.tenancy import Model
from shared.db.repositories import leases
from shared.db.repositories.leases import FINAL, Claim
from shared.domain.nightly import nightly_run_id, run_id_after, run_id_without
from shared.errors import NotFound


def get_model(session: Session, model_id: str) -> Model:
    """The model. Raises NotFound."""
    model = session.get(Model, model_id)
    if model is None:
        raise NotFound(f"There is no model {model_id}.")
    return model


def order_refit(session: Session, model_id: str, kind: str, *, recipe: str | None = None) -> uuid.UUID:
    """Order a refit in the caller's transaction. Returns the id that the run will have.

    Only a rollback that goes forward names a `recipe`; any other refit uses the worker's own.
    """
    order = uuid.uuid4()
    optional = {"recipe": recipe} if recipe else {}
    session.add(
        Outbox(
            id=order,
            queue=QUEUE_REFIT,
            task=TASK_REFIT,
            kwargs={"run": str(order), "model": model_id, "kind": kind} | optional,
            created_at=utc_now(),
            attempts=0,
        )
    )
    return order


def has_version_or_order(session: Session, model_id: str) -> bool:
    """Whether the model has a version, or a refit that was ordered and has not ended."""
    if session.scalar(select(EraserVersion.id).where(EraserVersion.model_id == model_id).limit(1)) is not None:
        return True
    ended = exists().where(RefitRun.id == Outbox.id, RefitRun.status.in_(FINAL))
    ordered = select(Outbox.id).where(Outbox.task == TASK_REFIT, Outbox.kwargs["model"].astext == model_id, ~ended)
    running = select(RefitRun.id).where(RefitRun.model_id == model_id, RefitRun.status.not_in(FINAL))
    return session.scalar(union_all(ordered, running).limit(1)) is not None


def order_nightly_refit(session: Session, model_id: str, run_date: date) -> uuid.UUID | None:
    """Order the nightly refit of that date in the caller's transaction; None where it was ordered before.

    The id of the order comes from model and date (`nightly_run_id`), so that a date is ordered once, by whomever.
    """
    order = nightly_run_id(model_id, run_date)
    kwargs = {"run": str(order), "model": model_id, "kind": "nightly", "period": run_date.isoformat()}
    return session.scalar(
        insert(Outbox)
        .values(id=order, queue=QUEUE_REFIT, task=TASK_REFIT, kwargs=kwargs, created_at=utc_now(), attempts=0)
        .on_conflict_do_nothing()
        .returning(Outbox.id)
    )


def order_refit_without(session: Session, model_id: str, audit_id: uuid.UUID) -> uuid.UUID | None:
    """Order the refit that follows an audit which failed because of some tickets alone; None where it was ordered.

    Those tickets are out of force by then. The id of the order comes from the audit, so that it is ordered once.
    """
    order = run_id_without(audit_id)
    if session.get(RefitRun, order) is not None:
        return None
    kwargs = {"run": str(order), "model": model_id, "kind": "urgent"}
    return session.scalar(
        insert(Outbox)
        .values(id=order, queue=QUEUE_REFIT, task=TASK_REFIT, kwargs=kwargs, created_at=utc_now(), attempts=0)
        .on_conflict_do_nothing()
        .returning(Outbox.id)
    )


def order_refit_after(session: Session, model_id: str, failed: uuid.UUID) -> uuid.UUID | None:
    """Order the refit that follows a first one which failed; None where it was ordered."""
    order = run_id_after(failed)
    kwargs = {"run": str(order), "model": model_id, "kind": "initial"}
    return session.scalar(
        insert(Outbox)
        .values(id=order, queue=QUEUE_REFIT, task=TASK_REFIT, kwargs=kwargs, created_at=utc_now(), attempts=0)
        .on_conflict_do_nothing()
        .returning(Outbox.id)
    )


def failed_first_runs(session: Session, model_id: str) -> list[RefitRun]:
    """The refits of a model that has no version, where all that were ordered failed; the newest first."""
    if has_version_or_order(session, model_id):
        return []
    query = select(RefitRun).where(RefitRun.model_id == model_id, RefitRun.status == "failed")
    return list(session.scalars(query.order_by(RefitRun.started_at.desc())))


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
    """Claim the run, with a new row where it has none.

    Returns None where another worker holds it, or another run of the model has the same `period`.
    """
    new = {"model_id": model_id, "kind": kind, "period": period, "recipe": recipe}
    return leases.claim(session, RefitRun, run_id, lease_s=lease_s, new=new, stage="claimed")


def renew_lease(
    session: Session, run_id: str, fence: int, stage: str, lease_s: float, progress: Mapping[str, Any] | None = None
) -> None:
    """Prolong the lease and write how far the run is. Raises Conflict where the lease is lost."""
    values = {"stage": stage, "progress": dict(progress) if progress else None}
    leases.update_fenced(session, RefitRun, run_id, fence, lease_until=leases.lease_end(lease_s), **values)


def check_lease(session: Session, run_id: str, fence: int) -> None:
    """Lock the run for the rest of the transaction. Raises Conflict where the lease is lost."""
    leases.update_fenced(session, RefitRun, run_id, fence)


def set_notes(session: Session, run_id: str, fence: int, notes: Sequence[str]) -> None:
    """Write remarks for whoever reads about the run. Raises Conflict where the lease is lost."""
    leases.update_fenced(session, RefitRun, run_id, fence, notes=list(notes))


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
    """End the run; the status `waiting` leaves it for another try. Raises Conflict where the lease is lost."""
    values: dict[str, Any] = {"status": status, "error": error, "lease_until": None}
    if status in FINAL:
        values["finished_at"] = utc_now()
    if version_id is not None:
        values["version_id"] = version_id
    if seconds is not None:
        values["seconds"] = dict(seconds)
    leases.update_fenced(session, RefitRun, run_id, fence, **values)


def set_ticket_outcome(
    session: Session, run_id: str, fence: int, ticket_id: str, outcome: str, detail: str | None = None
) -> None:
    """Write what the run did with the ticket, and why in a sentence. Raises Conflict where the lease is lost."""
    check_lease(session, run_id, fence)
    values = {"outcome": outcome, "at": utc_now(), "detail": detail}
    session.execute(
        insert(RefitRunTicket)
        .values(run_id=uuid.UUID(run_id), ticket_id=ticket_id, **values)
        .on_conflict_do_update(index_elements=["run_id", "ticket_id"], set_=values)
    )


def recent_runs(session: Session, model_id: str, limit: int) -> list[RefitRun]:
    """The newest runs of the model, newest first."""
    query = select(RefitRun).where(RefitRun.model_id == model_id)
    return list(session.scalars(query.order_by(RefitRun.started_at.desc()).limit(limit)))


def unclaimed_orders(session: Session, model_id: str) -> list[tuple[str, datetime]]:
    """The refits of the model that were ordered and that no worker has taken: of which kind, and when; oldest first."""
    query = select(Outbox.kwargs["kind"].astext, Outbox.created_at).where(
        Outbox.task == TASK_REFIT,
        Outbox.kwargs["model"].astext == model_id,
        ~exists().where(RefitRun.id == Outbox.id),
    )
    return [(kind, at) for kind, at in session.execute(query.order_by(Outbox.created_at))]
