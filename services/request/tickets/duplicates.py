"""Duplicates: decide that a ticket is not a duplicate after all."""

from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.db.models.tickets import Ticket
from shared.db.repositories import ticket_clocks, tickets


def distinguish(session: Session, principal: Principal, ticket: Ticket, note: str) -> None:
    """The ticket is about another person of the same name. Its clock goes on as if it had never stopped."""
    tickets.advance(session, ticket, "distinguish", principal.owner, note, roles=principal.roles)
    ticket.duplicate_of, ticket.review_reason = None, None
    ticket_clocks.restart_clock(session, ticket, principal.owner)
