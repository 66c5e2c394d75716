"""Relay and redelivery."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.core.task_names import QUEUE_AUDIT, QUEUE_REFIT, TASK_AUDIT, TASK_REFIT
from shared.db.models.audits import AuditRun
from shared.db.models.operations import Outbox
from shared.db.models.refits import RefitRun

LOST_AFTER = timedelta(seconds=30)


@dataclass(frozen=True)
class OutboxMessage:
    """A task that has to be sent again."""

    id: str
    queue: str
    task: str
    kwargs: dict[str, Any]
    correlation: str | None = None


def lost(
    session: Session, model_id: str, after: timedelta = LOST_AFTER, within: timedelta | None = None
) -> list[OutboxMessage]:
    """Runs and audits that wait for another try, whose worker is gone, or whose message never arrived.

    `within` looks for such messages among the orders of that time only: all of them is a longer look.
    """
    now = utc_now()
    found: list[OutboxMessage] = []
    waiting = or_(RefitRun.status == "waiting", (RefitRun.status == "running") & (RefitRun.lease_until < now))
    for run in session.scalars(select(RefitRun).where(RefitRun.model_id == model_id, waiting)):
        kwargs = {"run": str(run.id), "model": run.model_id, "kind": run.kind, "period": run.period}
        if run.recipe is not None:
            kwargs["recipe"] = run.recipe
        found.append(OutboxMessage(str(run.id), QUEUE_REFIT, TASK_REFIT, kwargs, _correlation(session, run.id)))
    stuck = or_(AuditRun.status == "waiting", (AuditRun.status == "running") & (AuditRun.lease_until < now))
    for audit in session.scalars(select(AuditRun).where(stuck)):
        kwargs = {"audit": str(audit.id), "version": str(audit.version_id)}
        found.append(OutboxMessage(str(audit.id), QUEUE_AUDIT, TASK_AUDIT, kwargs, _correlation(session, audit.id)))
    unseen = (
        select(Outbox)
        .where(Outbox.published_at < now - after)
        .where(~exists().where(RefitRun.id == Outbox.id), ~exists().where(AuditRun.id == Outbox.id))
    )
    if within is not None:
        unseen = unseen.where(Outbox.created_at > now - within)
    found += [OutboxMessage(str(o.id), o.queue, o.task, dict(o.kwargs), o.correlation) for o in session.scalars(unseen)]
    return found


def _correlation(session: Session, order: UUID) -> str | None:
    """The id of the request that ordered it: a run has the id of its outbox row."""
    return session.scalar(select(Outbox.correlation).where(Outbox.id == order))
