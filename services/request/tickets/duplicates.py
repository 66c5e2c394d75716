"""Not a duplicate after all."""

from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.db.models.tickets import Ticket
from shared.db.repositories import ticket_clocks, tickets


def distinguish(session: Session, principal: Principal, ticket: Ticket, note: str) -> None:
    """It is no duplicate after all: another person of the same name; the clock runs on as if it had never stopped."""
    tickets.advance(session, ticket, "distinguish", principal.owner, note, roles=principal.roles)
    ticket.duplicate_of, ticket.review_reason = None, None
    _restart(session, ticket, principal)


def _restart(session: Session, ticket: Ticket, principal: Principal) -> None:
    """`stopped` cannot be taken back in an append-only history: a new receipt at the old moment begins a new run."""
    received = ticket_clocks.list_clock_events(session, ticket.id)[0].at
    ticket_clocks.record_clock_event(session, ticket, "received", principal.owner, at=received)
