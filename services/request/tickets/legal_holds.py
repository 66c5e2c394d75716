"""Hold and release."""

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.core.clock import utc_now
from shared.db.models.tickets import Ticket, TicketHold
from shared.db.repositories import tickets
from shared.domain.four_eyes import require_second_person
from shared.errors import Conflict, OnHold


def hold(session: Session, principal: Principal, ticket: Ticket, reason: str) -> TicketHold:
    """A legal hold: its material is kept and not changed until two people release it."""
    if open_hold(session, ticket.id) is not None:
        raise Conflict(f"{ticket.id} is held already.")
    if ticket.payload_wrapped_key is None and ticket.kit_wrapped_key is None:
        raise Conflict(f"The material of {ticket.id} was shredded: there is nothing to hold.")
    made = TicketHold(id=uuid.uuid4(), ticket_id=ticket.id, reason=reason, set_by=principal.owner, set_at=utc_now())
    session.add(made)
    ticket.version += 1
    tickets.record(session, ticket, principal.owner, reason, "hold.set")
    return made


def release(session: Session, principal: Principal, ticket: Ticket, note: str) -> TicketHold:
    """The first person asks, a second one, who is not the first, releases; raises FourEyes, Conflict."""
    found = open_hold(session, ticket.id, lock=True)
    if found is None:
        raise Conflict(f"{ticket.id} is not held.")
    ticket.version += 1
    if found.release_asked_by is None:
        found.release_asked_by, found.release_asked_at = principal.owner, utc_now()
        tickets.record(session, ticket, principal.owner, note, "hold.release_asked")
    else:
        require_second_person(principal.owner, {"asked for the release": found.release_asked_by}, "confirm it")
        found.released_by, found.released_at = principal.owner, utc_now()
        tickets.record(session, ticket, principal.owner, note, "hold.released")
    return found


def open_hold(session: Session, ticket_id: str, *, lock: bool = False) -> TicketHold | None:
    """The hold that is in force, if any."""
    query = select(TicketHold).where(TicketHold.ticket_id == ticket_id, TicketHold.released_at.is_(None))
    return session.scalar(query.with_for_update() if lock else query)


def ensure_not_held(session: Session, ticket: Ticket) -> None:
    """Raise OnHold where a legal hold keeps the material as it is. Shredding asks here."""
    if open_hold(session, ticket.id) is not None:
        raise OnHold(f"{ticket.id} is under a legal hold: its material is kept as it is.")
