"""Legal holds: the material of a held ticket is kept and not changed, until two people release it."""

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.core.clock import utc_now
from shared.db.models.tickets import Ticket, TicketHold
from shared.db.repositories import people, tickets
from shared.errors import Conflict, OnHold


def hold(session: Session, principal: Principal, ticket: Ticket, reason: str) -> TicketHold:
    """Put the ticket under a legal hold. Raises Conflict where it is held, or where nothing is left to hold."""
    if open_hold(session, ticket.id) is not None:
        raise Conflict(f"{ticket.id} is held already.")
    if ticket.payload_wrapped_key is None and ticket.kit_wrapped_key is None:
        raise Conflict(f"The material of {ticket.id} was shredded: there is nothing to hold.")
    new = TicketHold(id=uuid.uuid4(), ticket_id=ticket.id, reason=reason, set_by=principal.owner, set_at=utc_now())
    session.add(new)
    ticket.version += 1
    tickets.record(session, ticket, principal.owner, reason, "hold.set")
    return new


def release(session: Session, principal: Principal, ticket: Ticket, note: str) -> TicketHold:
    """The first person asks for the release, a second person confirms it. A request to release does not lapse.

    Raises FourEyes where the first person confirms, Conflict where the ticket is not held.
    """
    held = open_hold(session, ticket.id, lock=True)
    if held is None:
        raise Conflict(f"{ticket.id} is not held.")
    ticket.version += 1
    if held.release_asked_by is None:
        held.release_asked_by, held.release_asked_at = principal.owner, utc_now()
        tickets.record(session, ticket, principal.owner, note, "hold.release_asked")
    else:
        deeds = [("asked for the release", held.release_asked_by)]
        people.require_second_person(session, ticket.tenant_id, principal.owner, deeds, "confirm it")
        held.released_by, held.released_at = principal.owner, utc_now()
        tickets.record(session, ticket, principal.owner, note, "hold.released")
    return held


def open_hold(session: Session, ticket_id: str, *, lock: bool = False) -> TicketHold | None:
    """The hold that is in force, if any."""
    query = select(TicketHold).where(TicketHold.ticket_id == ticket_id, TicketHold.released_at.is_(None))
    return session.scalar(query.with_for_update() if lock else query)


def ensure_not_held(session: Session, ticket: Ticket) -> None:
    """Raise OnHold where a legal hold keeps the material of the ticket as it is."""
    if open_hold(session, ticket.id) is not None:
        raise OnHold(f"{ticket.id} is under a legal hold: its material is kept as it is.")
