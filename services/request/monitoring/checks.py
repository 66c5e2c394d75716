"""Notices what did not happen: a night without its refit, a process without a pulse, an order that nobody carries out.

`look` only reads, so whoever is asked for the status can tell even while the clerk is dead. The clerk raises each alarm
once, with a log leaf and a webhook message (`alarm.raised`, `alarm.cleared`). Where clerk or house are dead nobody here
can tell: for that there is `ping`, a dead-man's switch outside that is heard as long as all is well.
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

BEATING: Final = {
    "clerk": "The clerk does nothing: no ticket moves",
    "relay": "Orders do not go out: the queue cannot be reached",
    "sequencer": "The log gets no places and no signatures",
    "refit": "No refit worker takes orders",
    "audit": "No audit worker takes orders",
}
NAMES: Final = (*BEATING, "inference", "nightly", "beat", "orders", "runs")
MOST_ATTEMPTS: Final = 5
REFITTED: Final = ("succeeded", "nothing_to_do")


@dataclass(frozen=True)
class OverdueCheck:
    """Something that did not happen, and since when that counts."""

    name: str
    sentence: str
    since: datetime


def find_overdue(session: Session, model_id: str, periods: AlarmThresholds) -> list[OverdueCheck]:
    """All that did not happen in time."""
    model = session.get(Model, model_id)
    if model is None:
        return []
    now = utc_now()
    return [
        *_pulses(session, model, now - periods.pulse),
        *_inference(session, model_id, now),
        *_nightly(session, model, periods, now),
        *_orders(session, now, periods.order),
    ]


def _pulses(session: Session, model: Model, oldest: datetime) -> Iterator[OverdueCheck]:
    known = last_heartbeats(session)
    for name, sentence in BEATING.items():
        last = known.get(name, model.created_at)
        if last < oldest:
            yield OverdueCheck(name, f"{sentence}, since {_at(last)}.", last)


def _inference(session: Session, model_id: str, now: datetime) -> Iterator[OverdueCheck]:
    state = rollouts.desired_state(session, model_id)
    if state is not None and not rollouts.live_replicas(session, model_id):
        yield OverdueCheck("inference", f"No replica of {model_id} is alive.", now)


def _nightly(session: Session, model: Model, periods: AlarmThresholds, now: datetime) -> Iterator[OverdueCheck]:
    night = latest_run_date(now, periods.nightly_hour)
    came = scheduled_at(night, periods.nightly_hour)
    if model.created_at > came:
        return
    order = nightly_run_id(model.id, night)
    run = session.get(RefitRun, order)
    if run is not None and run.status == "failed":
        yield OverdueCheck("nightly", f"The refit of the night of {night} failed: {run.error}", run.finished_at or came)
    elif now > came + periods.nightly and (run is None or run.status not in REFITTED):
        what = "was never begun" if run is None else f"is still {run.status}"
        yield OverdueCheck("nightly", f"The refit of the night of {night} {what}.", came)
    if session.get(Outbox, order) is not None:
        yield OverdueCheck("beat", f"Nobody rang for the night of {night}; the clerk ordered its refit.", came)


def _orders(session: Session, now: datetime, grace: timedelta) -> Iterator[OverdueCheck]:
    done = [
        exists().where(run.id == Outbox.id, or_(run.status.in_((*REFITTED, "failed")), run.lease_until > now))
        for run in (RefitRun, AuditRun)
    ]
    old = select(func.count(), func.min(Outbox.created_at)).where(
        Outbox.created_at < now - grace, *(~one for one in done)
    )
    again = select(func.count()).where(RefitRun.attempt >= MOST_ATTEMPTS, RefitRun.status.in_(("running", "waiting")))
    if begun := session.scalar(again):
        yield OverdueCheck(
            "runs", f"{begun} refits were begun {MOST_ATTEMPTS} times or more and do not come to an end.", now
        )
    number, oldest = session.execute(old).one()
    if number:
        yield OverdueCheck(
            "orders", f"{number} orders wait and nobody carries them out, the oldest since {_at(oldest)}.", oldest
        )


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
