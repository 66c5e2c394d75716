"""Requests whose asker never showed who they are: after a time they expire, by the clerk, and that is told and logged.

The time counts from the doubt (`Settings.identity_days`). Where the law's clock does not stand still meanwhile (CCPA)
its last day ends it too. Nothing under a legal hold expires. Knows no HTTP.
"""

from datetime import timedelta

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from shared.clock import utc_now
from shared.db import repository as rows
from shared.db.models import Ticket, TicketEvent, TicketHold
from shared.lifecycle import CLERK
from shared.regimes import REGIMES

AT_ONCE = 200


def expire(session: Session, model_id: str, patience: timedelta) -> int:
    """Expire what waited for so long; how many. Safe to repeat, and by two."""
    now = utc_now()
    doubted = (
        select(func.max(TicketEvent.at))
        .where(TicketEvent.ticket_id == Ticket.id, TicketEvent.kind == "state", TicketEvent.state == Ticket.state)
        .scalar_subquery()
    )
    unstoppable = [name for name, one in REGIMES.items() if not one.pausable]
    found = (
        select(Ticket)
        .where(Ticket.model_id == model_id, Ticket.state == "identity_pending")
        .where(or_(doubted <= now - patience, Ticket.regime.in_(unstoppable) & (Ticket.due_at < now)))
        .where(~exists().where(TicketHold.ticket_id == Ticket.id, TicketHold.released_at.is_(None)))
        .limit(AT_ONCE)
    )
    tickets = session.scalars(found.with_for_update(skip_locked=True)).all()
    for ticket in tickets:
        rows.advance(session, ticket, "expire", CLERK, "Nobody proved in time that it is that person who asks.")
    return len(tickets)
