"""Duplicates: decide that a ticket is not a duplicate after all."""

from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.db.models.tickets import Ticket
from shared.db.repositories import ticket_clocks, tickets


def distinguish(session: Session, principal: Principal, ticket: Ticket, note: str) -> None:
    """The ticket is about another person of the same name. Its clock goes on as if it had never stopped."""
    tickets.advance(session, ticket, "distinguish", principal.owner, note, roles=principal.roles)
    ticket.duplicate_of, ticket.review_reason = None, None
    _restart(session, ticket, principal)


def _restart(session: Session, ticket: Ticket, principal: Principal) -> None:
    """Start the clock anew at the moment of receipt: the history is append-only, so that `stopped` stays in it."""
    received = ticket_clocks.list_clock_events(session, ticket.id)[0].at
    ticket_clocks.record_clock_event(session, ticket, "received", principal.owner, at=received)
