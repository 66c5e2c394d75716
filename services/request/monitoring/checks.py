"""Finds what did not happen in time: a nightly refit, the heartbeat of a process, an order that no worker carries out.

A ticket that failed is among them: until somebody corrects it, nobody is forgotten by it. So is one that was completed
and of which an audit was told something again.

`find_overdue` only reads, so the status endpoint reports overdue checks even while the control loop is down. The
control loop raises each alarm once, with a log leaf and a webhook message (`alarm.raised`, `alarm.cleared`). If the
control loop or the whole machine is down, nothing here can raise an alarm: for that case `pings.py` feeds a dead man's
switch outside.
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
from shared.db.models.drop_lists import DropList
from shared.db.models.operations import Outbox
from shared.db.models.refits import RefitRun
from shared.db.models.tenancy import Model
from shared.db.models.tickets import Ticket, TicketEvent
from shared.db.repositories import refits, rollouts
from shared.db.repositories.heartbeats import last_heartbeats
from shared.domain.accounts import OPERATING_TENANT
from shared.domain.nightly import latest_run_date, nightly_run_id, scheduled_at

HEARTBEATS: Final = {
    "clerk": "The control loop is not running: no ticket moves",  # the stored name of its heartbeat
    "relay": "Orders are not sent: the queue cannot be reached",
    "sequencer": "The audit log is neither sequenced nor signed",
    "refit": "No refit worker takes orders",
    "audit": "No audit worker takes orders",
}
OF_MODEL: Final = ("inference", "nightly", "beat", "first", "failed", "regressed", "drop")
NAMES: Final = (*HEARTBEATS, *OF_MODEL, "orders", "runs")
MOST_NAMED: Final = 5  # tickets of an alarm
MAX_ATTEMPTS: Final = 5
FINISHED: Final = ("succeeded", "nothing_to_do")


@dataclass(frozen=True)
class OverdueCheck:
    """Something that did not happen in time. `since` is when it last happened, or when it should have."""

    name: str
    sentence: str
    since: datetime


def find_overdue(session: Session, model_id: str, thresholds: AlarmThresholds) -> list[OverdueCheck]:
    """Everything that is overdue for the model at this moment.

    For another tenant than the operating one that is what concerns its model alone, and the processes, which all
    tenants share: how many orders there are is not its business.
    """
    model = session.get(Model, model_id)
    if model is None:
        return []
    now = utc_now()
    overdue = [
        *_heartbeats(session, model, now - thresholds.pulse),
        *_inference(session, model_id, now),
        *_nightly(session, model, thresholds, now),
        *_first_refit(session, model_id),
        *_tickets(session, model_id, "failed", "Tickets failed and wait for somebody to correct them"),
        *_tickets(session, model_id, "regressed", "People who were forgotten are exposed again"),
        *_drop_lists(session, model),
    ]
    if model.tenant_id == OPERATING_TENANT:
        overdue += _orders(session, now, thresholds.order)
    return overdue


def _heartbeats(session: Session, model: Model, oldest: datetime) -> Iterator[OverdueCheck]:
    known = last_heartbeats(session)
    for name, sentence in HEARTBEATS.items():
        last = known.get(name, model.created_at)
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
    elif now > scheduled + thresholds.nightly and (run is None or run.status not in FINISHED):
        what = "was never started" if run is None else f"is still {run.status}"
        yield OverdueCheck("nightly", f"The refit of the night of {night} {what}.", scheduled)
    if session.get(Outbox, order) is not None:
        yield OverdueCheck(
            "beat", f"The scheduler did not order the refit of the night of {night}; the control loop did.", scheduled
        )


def _first_refit(session: Session, model_id: str) -> Iterator[OverdueCheck]:
    for run in refits.failed_first_runs(session, model_id)[:1]:
        since = run.finished_at or run.started_at
        yield OverdueCheck("first", f"{model_id} has no version, as its first refit failed: {run.error}", since)


def _orders(session: Session, now: datetime, grace: timedelta) -> Iterator[OverdueCheck]:
    done = [
        exists().where(run.id == Outbox.id, or_(run.status.in_((*FINISHED, "failed")), run.lease_until > now))
        for run in (RefitRun, AuditRun)
    ]
    old = select(func.count(), func.min(Outbox.created_at)).where(
        Outbox.created_at < now - grace, *(~carried_out for carried_out in done)
    )
    again = select(func.count()).where(RefitRun.attempt >= MAX_ATTEMPTS, RefitRun.status.in_(("running", "waiting")))
    if restarted := session.scalar(again):
        yield OverdueCheck(
            "runs", f"{restarted} refits were started {MAX_ATTEMPTS} times or more and did not finish.", now
        )
    number, oldest = session.execute(old).one()
    if number:
        yield OverdueCheck(
            "orders", f"{number} orders wait and no worker carries them out, the oldest since {_at(oldest)}.", oldest
        )


def _tickets(session: Session, model_id: str, state: str, what: str) -> Iterator[OverdueCheck]:
    """A check of the name of the state, where tickets are in it."""
    last = func.max(TicketEvent.at)
    query = (
        select(Ticket.id, last)
        .join(TicketEvent, TicketEvent.ticket_id == Ticket.id)
        .where(Ticket.model_id == model_id, Ticket.state == state, TicketEvent.kind == "state")
        .group_by(Ticket.id)
        .order_by(last)
    )
    tickets = [(ticket, since) for ticket, since in session.execute(query)]
    if tickets:
        named = ", ".join(ticket for ticket, _ in tickets[:MOST_NAMED])
        others = f" and {len(tickets) - MOST_NAMED} others" if len(tickets) > MOST_NAMED else ""
        yield OverdueCheck(state, f"{what}: {named}{others}.", tickets[0][1])


def _drop_lists(session: Session, model: Model) -> Iterator[OverdueCheck]:
    """A check where lists of DROP that were fetched cannot be matched."""
    in_vain = DropList.tenant_id == model.tenant_id, DropList.status == "waiting", DropList.attempts > 0
    lists = session.scalars(select(DropList).where(*in_vain).order_by(DropList.created_at)).all()
    if lists:
        oldest = lists[0]
        what = f"{len(lists)} lists of DROP cannot" if len(lists) > 1 else "A list of DROP cannot"
        sentence = f"{what} be matched, fetched on {oldest.created_at:%Y-%m-%d}: {oldest.error}"
        yield OverdueCheck("drop", sentence, oldest.created_at)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
