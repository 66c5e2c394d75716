"""The statutory clock of a ticket: its events are recorded here, what is due is computed by shared/domain/deadlines."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.tickets import Ticket, TicketClock
from shared.domain.deadlines import (
    ESCALATION_PERCENTS,
    Calendar,
    Clock,
    ClockEvent,
    ClockEventKind,
    compute_clock,
    escalation_time,
)
from shared.domain.regimes import regime


def record_clock_event(
    session: Session,
    ticket: Ticket,
    kind: ClockEventKind,
    actor: str,
    reason: str | None = None,
    at: datetime | None = None,
) -> Clock:
    """Record an event of the clock and write what is due now into the ticket. The caller records the ticket event."""
    session.add(TicketClock(ticket_id=ticket.id, kind=kind, at=at or utc_now(), actor=actor, reason=reason))
    session.flush()
    clock = current_clock(session, ticket)
    ticket.clock = "running" if clock.state == "overdue" else clock.state
    ticket.due_at = clock.due_at
    ticket.escalate_at = utc_now() if ticket.clock == "running" else None
    return clock


def restart_clock(session: Session, ticket: Ticket, actor: str) -> Clock:
    """Start the clock anew at the moment of receipt: the history is append-only, so that `stopped` stays in it."""
    received = list_clock_events(session, ticket.id)[0].at
    return record_clock_event(session, ticket, "received", actor, at=received)


@dataclass(frozen=True)
class StartedClock:
    """The clock of a new ticket, with its events as rows that are not written yet."""

    clock: Clock
    events: tuple[TicketClock, ...]


def start_clock(ticket: Ticket, received_at: datetime, now: datetime, actor: str, *, stopped: bool) -> StartedClock:
    """Start the clock of a ticket that has no row yet, and with `stopped` stop it at once. Writes nothing."""
    ticket.received_at = received_at
    events = [ClockEvent("received", received_at)] + ([ClockEvent("stopped", now)] if stopped else [])
    clock = compute_clock(regime(ticket.regime), Calendar(ticket.calendar, ticket.zone), events, now)
    ticket.clock, ticket.due_at = "stopped" if stopped else "running", clock.due_at
    ticket.escalate_at = None if stopped else escalation_time(clock, received_at, ESCALATION_PERCENTS[0])
    rows = (TicketClock(ticket_id=ticket.id, kind=e.kind, at=e.at, actor=actor, reason=None) for e in events)
    return StartedClock(clock, tuple(rows))


def current_clock(session: Session, ticket: Ticket) -> Clock:
    """The clock as it stands now."""
    rows = list_clock_events(session, ticket.id)
    start = max(i for i, row in enumerate(rows) if row.kind == "received")  # the clock may have been started anew
    events = [ClockEvent(cast(ClockEventKind, row.kind), row.at) for row in rows[start:]]
    return compute_clock(regime(ticket.regime), Calendar(ticket.calendar, ticket.zone), events, utc_now())


def list_clock_events(session: Session, ticket_id: str) -> list[TicketClock]:
    """All events of the ticket's clock, in order."""
    return list(session.scalars(select(TicketClock).where(TicketClock.ticket_id == ticket_id).order_by(TicketClock.id)))
