"""Requests whose asker never showed who they are: after a time they expire, by the clerk, and that is told and logged.

The time counts from the doubt (`Settings.identity_days`). Where the law's clock does not stand still meanwhile (CCPA)
its last day ends it too. Nothing under a legal hold expires. Knows no HTTP.
"""

from datetime import timedelta

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.core.clock import utc_now
from shared.db.models.tickets import Ticket, TicketEvent, TicketHold
from shared.db.repositories import ticket_clocks
from shared.db.repositories import tickets as tickets_repository
from shared.domain.accounts import SYSTEM_ACTOR
from shared.domain.regimes import REGIMES, regime
from shared.domain.ticket_lifecycle import UNDECIDED
from shared.errors import BadInput, Conflict

AT_ONCE = 200


def expire_unverified(session: Session, model_id: str, patience: timedelta) -> int:
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
        tickets_repository.advance(
            session, ticket, "expire", SYSTEM_ACTOR, "Nobody proved in time that it is that person who asks."
        )
    return len(tickets)


def identify(
    session: Session, principal: Principal, ticket: Ticket, outcome: str, method: str | None, note: str
) -> None:
    """Whether it is that person who asks: `doubted` stops the clock, `verified` (by a method) lets it run on."""
    if ticket.state not in UNDECIDED:
        raise Conflict(f"{ticket.id} is {ticket.state.replace('_', ' ')}: its identity is no longer looked at.")
    if outcome == "doubted":
        tickets_repository.advance(session, ticket, "doubt", principal.owner, note, roles=principal.roles)
        ticket.identity = "doubted"
        ticket.identity_by = ticket.identity_method = ticket.identity_at = None
        if regime(ticket.regime).pausable:
            ticket_clocks.record_clock_event(session, ticket, "paused", principal.owner, note)
        return
    if not method:
        raise BadInput("Say how the identity was verified.")
    doubted = ticket.state == "identity_pending"
    ticket.identity, ticket.identity_by = "verified", principal.owner
    ticket.identity_method, ticket.identity_at = method, utc_now()
    if doubted:
        tickets_repository.advance(session, ticket, "verify", principal.owner, note, roles=principal.roles)
        if ticket.clock == "paused":
            ticket_clocks.record_clock_event(session, ticket, "resumed", principal.owner, note)
    else:
        ticket.version += 1
        tickets_repository.record(session, ticket, principal.owner, note, "identity.verified")
