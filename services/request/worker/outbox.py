"""Sends the orders of the outbox to the workers, and sends again what was lost."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from sqlalchemy import Engine, exists, select
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.core.logging import MESSAGE_HEADER
from shared.core.task_names import QUEUE_AUDIT, QUEUE_REFIT, TASK_AUDIT, TASK_REFIT
from shared.core.tracing import span
from shared.db.models.audits import AuditRun
from shared.db.models.operations import Outbox
from shared.db.models.refits import RefitRun
from shared.db.session import transaction
from shared.errors import Unavailable

LOST_AFTER: Final = timedelta(seconds=30)
BATCH: Final = 50
FIRST_RETRY_S, LONGEST_RETRY_S = 3.0, 120.0
FULL_SEARCH_EVERY_S: Final = 60.0
UNFINISHED: Final = ("waiting", "running")
RECENT: Final = timedelta(days=2)  # the orders among which lost messages are looked for in every round


@dataclass(frozen=True)
class OutboxMessage:
    """A message to a worker: ids alone."""

    id: str
    queue: str
    task: str
    kwargs: dict[str, Any]
    correlation: str | None = None


def send(queue: Celery, message: OutboxMessage) -> None:
    """Hand a message to the queue; raises Unavailable where the queue cannot be reached."""
    try:
        with span("outbox.send", {"task": message.task}, message.correlation):
            queue.send_task(
                message.task,
                kwargs=message.kwargs,
                queue=message.queue,
                task_id=message.id,
                retry=False,
                headers={MESSAGE_HEADER: message.correlation} if message.correlation else {},
            )
    except (OperationalError, RedisError, OSError) as exc:
        raise Unavailable(f"The queue cannot be reached ({type(exc).__name__}).") from exc


@dataclass(frozen=True)
class Relay:
    """Sends every message of the outbox once. A crash between sending and noting it sends the message twice, which
    is harmless: the worker takes each order once."""

    database: Engine
    queue: Celery

    def run(self) -> float | None:
        """Send what waits, a batch at most; raises Unavailable."""
        with transaction(self.database) as session:
            waiting = select(Outbox).where(Outbox.published_at.is_(None)).order_by(Outbox.created_at).limit(BATCH)
            rows = session.scalars(waiting.with_for_update(skip_locked=True)).all()
            for row in rows:
                send(self.queue, OutboxMessage(str(row.id), row.queue, row.task, dict(row.kwargs), row.correlation))
                row.published_at = utc_now()
                row.attempts += 1
        return 0.0 if len(rows) == BATCH else None


@dataclass
class Redelivery:
    """Sends again what was lost, less and less often; once a minute it also looks at what was ordered long ago."""

    database: Engine
    queue: Celery
    lost_after: timedelta = LOST_AFTER
    _full_search_at: float = 0.0
    _retries: dict[str, tuple[float, float]] = field(default_factory=dict)  # id -> (not before, pause)

    def run(self) -> float | None:
        """Send what is due; raises Unavailable."""
        now = time.monotonic()
        if full_search := now >= self._full_search_at:
            self._full_search_at = now + FULL_SEARCH_EVERY_S
        with transaction(self.database) as session:
            lost = lost_messages(session, self.lost_after, None if full_search else RECENT)
        self._retries = {message.id: self._retries.get(message.id, (now, FIRST_RETRY_S)) for message in lost.messages}
        for message in lost.messages:
            not_before, pause = self._retries[message.id]
            if now >= not_before:
                send(self.queue, message)
                self._retries[message.id] = (now + pause, min(2 * pause, LONGEST_RETRY_S))
        pauses = [not_before - now for not_before, _ in self._retries.values()]
        if lost.next_at is not None:
            pauses.append((lost.next_at - utc_now()).total_seconds())
        return max(0.0, min(pauses)) if pauses else None


@dataclass(frozen=True)
class LostMessages:
    """What has to be sent again, and when the next message will count as lost if nothing happens."""

    messages: list[OutboxMessage]
    next_at: datetime | None


def lost_messages(session: Session, after: timedelta = LOST_AFTER, within: timedelta | None = None) -> LostMessages:
    """Runs and audits that wait for another try, whose worker is gone, or whose message never arrived.

    `after` is how long a message may be under way. `within` looks for messages that never arrived only among the
    orders of that time; None looks at all of them, which takes longer.
    """
    now = utc_now()
    messages: list[OutboxMessage] = []
    later: list[datetime] = []
    runs = select(RefitRun).where(RefitRun.status.in_(UNFINISHED))
    for run in session.scalars(runs):
        if _held(run, now):
            later.append(run.lease_until or now)
            continue
        kwargs = {"run": str(run.id), "model": run.model_id, "kind": run.kind, "period": run.period}
        if run.recipe is not None:
            kwargs["recipe"] = run.recipe
        messages.append(OutboxMessage(str(run.id), QUEUE_REFIT, TASK_REFIT, kwargs, _correlation(session, run.id)))
    for audit in session.scalars(select(AuditRun).where(AuditRun.status.in_(UNFINISHED))):
        if _held(audit, now):
            later.append(audit.lease_until or now)
            continue
        kwargs = {"audit": str(audit.id), "version": str(audit.version_id), "kind": audit.kind}
        messages.append(OutboxMessage(str(audit.id), QUEUE_AUDIT, TASK_AUDIT, kwargs, _correlation(session, audit.id)))
    unseen = (
        select(Outbox)
        .where(Outbox.published_at.is_not(None))
        .where(~exists().where(RefitRun.id == Outbox.id), ~exists().where(AuditRun.id == Outbox.id))
    )
    if within is not None:
        unseen = unseen.where(Outbox.created_at > now - within)
    for row in session.scalars(unseen):
        if row.published_at is not None and (lost_at := row.published_at + after) >= now:
            later.append(lost_at)
            continue
        messages.append(OutboxMessage(str(row.id), row.queue, row.task, dict(row.kwargs), row.correlation))
    return LostMessages(messages, min(later, default=None))


def _held(run: RefitRun | AuditRun, now: datetime) -> bool:
    """Whether a worker holds it. A run without a lease that is `running` counts as held."""
    return run.status == "running" and (run.lease_until is None or run.lease_until >= now)


def _correlation(session: Session, order: UUID) -> str | None:
    """The id of the request that ordered it: a run has the id of its outbox row."""
    return session.scalar(select(Outbox.correlation).where(Outbox.id == order))
