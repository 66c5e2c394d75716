"""Finds what did not happen in time: a nightly refit, a heartbeat, an order that nobody carries out.

These checks only read, so the status names what is overdue even while the control loop is dead. The control loop turns
what is overdue into alarms (alarms.py). Where the control loop or the whole installation is dead, nothing here can
report it: a dead man's switch outside misses its pings then (pings.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from services.request.context import AlarmThresholds
from shared.core.clock import utc_now
from shared.db.models.audits import AuditRun
from shared.db.models.operations import Outbox
from shared.db.models.refits import RefitRun
from shared.db.models.tenancy import Model
from shared.db.repositories import rollouts
from shared.db.repositories.heartbeats import last_heartbeats
from shared.domain.nightly import latest_run_date, nightly_run_id, scheduled_at

HEARTBEATS: Final = {
    "clerk": "The control loop does nothing: no ticket moves",
    "relay": "Orders do not go out: the queue cannot be reached",
    "sequencer": "The log gets no positions and no signatures",
    "refit": "No refit worker takes orders",
    "audit": "No audit worker takes orders",
}
CHECK_NAMES: Final = (*HEARTBEATS, "inference", "nightly", "beat", "orders", "runs")
MOST_ATTEMPTS: Final = 5
ENDED_WELL: Final = ("succeeded", "nothing_to_do")


@dataclass(frozen=True)
class OverdueCheck:
    """Something that did not happen, and since when that counts."""

    name: str
    sentence: str
    since: datetime


def find_overdue(session: Session, model_id: str, thresholds: AlarmThresholds) -> list[OverdueCheck]:
    """Everything that did not happen in time."""
    model = session.get(Model, model_id)
    if model is None:
        return []
    now = utc_now()
    return [
        *_heartbeats(session, model, now - thresholds.pulse),
        *_inference(session, model_id, now),
        *_nightly(session, model, thresholds, now),
        *_orders(session, now, thresholds.order),
    ]


def _heartbeats(session: Session, model: Model, oldest: datetime) -> Iterator[OverdueCheck]:
    heartbeats = last_heartbeats(session)
    for name, sentence in HEARTBEATS.items():
        last = heartbeats.get(name, model.created_at)
        if last < oldest:
            yield OverdueCheck(name, f"{sentence}, since {_at(last)}.", last)


def _inference(session: Session, model_id: str, now: datetime) -> Iterator[OverdueCheck]:
    state = rollouts.desired_state(session, model_id)
    if state is not None and not rollouts.live_replicas(session, model_id):
        yield OverdueCheck("inference", f"No replica of {model_id} is alive.", now)


def _nightly(session: Session, model: Model, thresholds: AlarmThresholds, now: datetime) -> Iterator[OverdueCheck]:
    night = latest_run_date(now, thresholds.nightly_hour)
    scheduled = scheduled_at(night, thresholds.nightly_hour)
    if model.created_at > scheduled:
        return
    order = nightly_run_id(model.id, night)
    run = session.get(RefitRun, order)
    if run is not None and run.status == "failed":
        yield OverdueCheck(
            "nightly", f"The refit of the night of {night} failed: {run.error}", run.finished_at or scheduled
        )
    elif now > scheduled + thresholds.nightly and (run is None or run.status not in ENDED_WELL):
        what = "was never started" if run is None else f"is still {run.status}"
        yield OverdueCheck("nightly", f"The refit of the night of {night} {what}.", scheduled)
    if session.get(Outbox, order) is not None:
        sentence = f"Beat did not order the refit of the night of {night}; the control loop ordered it."
        yield OverdueCheck("beat", sentence, scheduled)


def _orders(session: Session, now: datetime, grace: timedelta) -> Iterator[OverdueCheck]:
    carried_out = [
        exists().where(run.id == Outbox.id, or_(run.status.in_((*ENDED_WELL, "failed")), run.lease_until > now))
        for run in (RefitRun, AuditRun)
    ]
    waiting = select(func.count(), func.min(Outbox.created_at)).where(
        Outbox.created_at < now - grace, *(~ended for ended in carried_out)
    )
    repeated = select(func.count()).where(
        RefitRun.attempt >= MOST_ATTEMPTS, RefitRun.status.in_(("running", "waiting"))
    )
    if number := session.scalar(repeated):
        yield OverdueCheck("runs", f"{number} refits were started {MOST_ATTEMPTS} times or more and do not end.", now)
    number, oldest = session.execute(waiting).one()
    if number:
        yield OverdueCheck(
            "orders", f"{number} orders wait and nobody carries them out, the oldest since {_at(oldest)}.", oldest
        )


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
