"""Not a duplicate after all."""

from sqlalchemy.orm import Session

from services.request.auth.principals import Actor
from shared.db.models.tickets import Ticket
from shared.db.repositories import ticket_clocks, tickets


def distinguish(session: Session, who: Actor, ticket: Ticket, note: str) -> None:
    """It is no duplicate after all: another person of the same name; the clock runs on as if it had never stopped."""
    tickets.advance(session, ticket, "distinguish", who.owner, note, roles=who.roles)
    ticket.duplicate_of, ticket.review_reason = None, None
    _restart(session, ticket, who)


def _restart(session: Session, ticket: Ticket, who: Actor) -> None:
    """`stopped` cannot be taken back in an append-only history: a new receipt at the old moment begins a new run."""
    received = ticket_clocks.clock_events(session, ticket.id)[0].at
    ticket_clocks.set_clock(session, ticket, "received", who.owner, at=received)
