"""Clock events and what is due."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.tickets import Ticket, TicketClock
from shared.domain.deadlines import STEPS, Calendar, Clock, ClockEvent, Kind, compute_clock, escalation_time
from shared.domain.regimes import regime


def set_clock(
    session: Session, ticket: Ticket, kind: Kind, actor: str, reason: str | None = None, at: datetime | None = None
) -> Clock:
    """Tell the clock something and write what is due now; the history of the ticket is the caller's."""
    session.add(TicketClock(ticket_id=ticket.id, kind=kind, at=at or utc_now(), actor=actor, reason=reason))
    session.flush()
    now = clock_of(session, ticket)
    ticket.clock = "running" if now.state == "overdue" else now.state
    ticket.due_at = now.due_at
    ticket.escalate_at = utc_now() if ticket.clock == "running" else None
    return now


@dataclass(frozen=True)
class StartedClock:
    """The clock of a new ticket, with the rows that say so."""

    clock: Clock
    events: tuple[TicketClock, ...]


def start_clock(ticket: Ticket, received_at: datetime, now: datetime, actor: str, *, stopped: bool) -> StartedClock:
    """Start the clock of a ticket that has no row yet, and stop it at once where `stopped`; nothing is written."""
    events = [ClockEvent("received", received_at)] + ([ClockEvent("stopped", now)] if stopped else [])
    clock = compute_clock(regime(ticket.regime), Calendar(ticket.calendar, ticket.zone), events, now)
    ticket.clock, ticket.due_at = "stopped" if stopped else "running", clock.due_at
    ticket.escalate_at = None if stopped else escalation_time(clock, received_at, STEPS[0])
    rows = (TicketClock(ticket_id=ticket.id, kind=e.kind, at=e.at, actor=actor, reason=None) for e in events)
    return StartedClock(clock, tuple(rows))


def clock_of(session: Session, ticket: Ticket) -> Clock:
    """What is due, and when."""
    told = clock_events(session, ticket.id)
    begin = max(i for i, one in enumerate(told) if one.kind == "received")  # a clock that was started anew
    events = [ClockEvent(cast(Kind, one.kind), one.at) for one in told[begin:]]
    return compute_clock(regime(ticket.regime), Calendar(ticket.calendar, ticket.zone), events, utc_now())


def clock_events(session: Session, ticket_id: str) -> list[TicketClock]:
    """In order."""
    return list(session.scalars(select(TicketClock).where(TicketClock.ticket_id == ticket_id).order_by(TicketClock.id)))
