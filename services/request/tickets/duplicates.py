"""Duplicates and namesakes: that a ticket is about another person, and what the requester of a duplicate is told."""

from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.db.models.tickets import Ticket
from shared.db.repositories import ticket_duplicates, tickets
from shared.domain.ticket_lifecycle import POSSIBLE_NAMESAKE, UNDECIDED
from shared.errors import Conflict

MOST_NAMED = 5


def distinguish(session: Session, principal: Principal, ticket: Ticket, note: str) -> None:
    """The ticket is about another person of the same name. The decision stands in the history.

    A duplicate goes to review, or to the check of its identity where that is in doubt. A possible namesake can be
    approved. Raises Conflict for any other ticket.
    """
    if ticket.review_reason == POSSIBLE_NAMESAKE and ticket.state in UNDECIDED:
        ticket.review_reason = None
        ticket.version += 1
        tickets.record(session, ticket, principal.owner, note, "distinguished")
        return
    tickets.take_up_duplicate(session, ticket, "distinguish", principal.owner, note, roles=principal.roles)


def ensure_distinguished(session: Session, ticket: Ticket) -> None:
    """Raise Conflict, which names the others, where nobody has decided whether the ticket is about a namesake."""
    if ticket.review_reason != POSSIBLE_NAMESAKE:
        return
    others = ", ".join(other.id for other in ticket_duplicates.related_tickets(session, ticket, MOST_NAMED))
    raise Conflict(
        f"{ticket.id} has the same name as {others or 'another ticket'}: say first that it is about another person "
        "(distinguish), or reject it."
    )


def told_ticket(session: Session, ticket: Ticket) -> Ticket:
    """The ticket whose state is told to whoever filed `ticket`: of a duplicate, the earlier one.

    Before the identity is verified a duplicate is told as itself, like a request that waits: nobody learns by filing
    that somebody else has filed for the same person, nor what became of that.
    """
    if ticket.state == "duplicate" and ticket.identity == "verified" and ticket.duplicate_of is not None:
        return session.get_one(Ticket, ticket.duplicate_of)
    return ticket
