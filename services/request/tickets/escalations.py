"""Records when 50, 75, 90 and 100 per cent of a ticket's statutory time are used: a row and an event for each, once."""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.tickets import Escalation, Ticket
from shared.db.repositories import ticket_clocks, tickets
from shared.domain.accounts import SYSTEM_ACTOR
from shared.domain.deadlines import ESCALATION_PERCENTS, escalation_time

AT_ONCE = 200


def escalate(session: Session, model_id: str) -> int:
    """Record the steps that were reached; return how many.

    Safe to repeat, and for two processes at once.
    """
    now = utc_now()
    due = (
        select(Ticket)
        .where(Ticket.model_id == model_id, Ticket.escalate_at <= now)
        .order_by(Ticket.escalate_at)
        .limit(AT_ONCE)
    )
    return sum(_escalate(session, ticket) for ticket in session.scalars(due.with_for_update(skip_locked=True)))


def _escalate(session: Session, ticket: Ticket) -> int:
    clock = ticket_clocks.current_clock(session, ticket)
    ticket.due_at = clock.due_at
    if clock.state not in ("running", "overdue"):
        ticket.escalate_at = None
        return 0
    received = next(e.at for e in reversed(ticket_clocks.list_clock_events(session, ticket.id)) if e.kind == "received")
    written = 0
    for percent in ESCALATION_PERCENTS:
        if clock.used * 100 < percent:
            break
        new = session.execute(
            insert(Escalation)
            .values(
                ticket_id=ticket.id,
                percent=percent,
                extensions=int(clock.extended),
                due_at=clock.due_at,
                at=utc_now(),
            )
            .on_conflict_do_nothing()
            .returning(Escalation.percent)
        ).first()
        if new is not None:
            note = f"{percent} % of the time is used; due {clock.due}"
            detail = {"percent": percent, "due_at": clock.due_at.isoformat()}
            tickets.record(session, ticket, SYSTEM_ACTOR, note, "clock.escalated", detail)
            written += 1
    left = [percent for percent in ESCALATION_PERCENTS if clock.used * 100 < percent]
    ticket.escalate_at = escalation_time(clock, received, left[0]) if left else None
    return written


def highest_steps(session: Session, ticket_ids: list[str]) -> dict[str, int]:
    """The highest step of each ticket, in per cent; tickets without one are missing."""
    steps = select(Escalation.ticket_id, func.max(Escalation.percent)).where(Escalation.ticket_id.in_(ticket_ids))
    return dict(session.execute(steps.group_by(Escalation.ticket_id)).all())
