"""What is true of a ticket beside its state: its clock, whose identity is known, legal holds, whose duplicate it is.

Each function is one transaction's worth, on a ticket that the caller locked or just made. Knows no HTTP.
"""

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request import letters
from services.request.actor import Actor
from shared.clock import utc_now
from shared.db import repository as rows
from shared.db.models import Ticket, TicketHold
from shared.deadline import Calendar, check_calendar
from shared.errors import BadInput, Conflict, FourEyes, OnHold, TooLateToExtend
from shared.lifecycle import WAITING
from shared.regimes import regime


def check_law(name: str, calendar: str, zone: str) -> None:
    """Raise BadInput for a law's periods, or for days (a calendar in a zone), that are not known."""
    regime(name)
    check_calendar(Calendar(calendar, zone))


def distinguish(session: Session, who: Actor, ticket: Ticket, note: str) -> None:
    """It is no duplicate after all: another person of the same name; the clock runs on as if it had never stopped."""
    rows.advance(session, ticket, "distinguish", who.owner, note, roles=who.roles)
    ticket.duplicate_of, ticket.review_reason = None, None
    _restart(session, ticket, who)


def identify(session: Session, who: Actor, ticket: Ticket, outcome: str, method: str | None, note: str) -> None:
    """Whether it is that person who asks: `doubted` stops the clock, `verified` (by a method) lets it run on."""
    if ticket.state not in WAITING:
        raise Conflict(f"{ticket.id} is {ticket.state.replace('_', ' ')}: its identity is no longer looked at.")
    if outcome == "doubted":
        rows.advance(session, ticket, "doubt", who.owner, note, roles=who.roles)
        ticket.identity = "doubted"
        ticket.identity_by = ticket.identity_method = ticket.identity_at = None
        if regime(ticket.regime).pausable:
            rows.set_clock(session, ticket, "paused", who.owner, note)
        return
    if not method:
        raise BadInput("Say how the identity was verified.")
    doubted = ticket.state == "identity_pending"
    ticket.identity, ticket.identity_by = "verified", who.owner
    ticket.identity_method, ticket.identity_at = method, utc_now()
    if doubted:
        rows.advance(session, ticket, "verify", who.owner, note, roles=who.roles)
        if ticket.clock == "paused":
            rows.set_clock(session, ticket, "resumed", who.owner, note)
    else:
        ticket.version += 1
        rows.record(session, ticket, who.owner, note, "identity.verified")


def extend(session: Session, who: Actor, ticket: Ticket, reason: str) -> str:
    """More time, once, inside the first period, with the reason; the letter that tells the person so."""
    if ticket.clock == "stopped":
        raise Conflict(
            f"{ticket.id} is {ticket.state.replace('_', ' ')}: its clock has stopped, there is nothing to extend."
        )
    clock = rows.clock_of(session, ticket)
    if clock.extended:
        raise TooLateToExtend(f"{ticket.id} was extended already, until {clock.due}.")
    if not clock.extendable:
        raise TooLateToExtend(f"{ticket.id} could be extended until {clock.due} only.", due=clock.due.isoformat())
    after = rows.set_clock(session, ticket, "extended", who.owner, reason)
    ticket.version += 1
    rows.record(session, ticket, who.owner, f"until {after.due}: {reason}", "clock.extended")
    return letters.extension(ticket.id, reason, after.due.isoformat())


def hold(session: Session, who: Actor, ticket: Ticket, reason: str) -> TicketHold:
    """A legal hold: its material is kept and not changed until two people release it."""
    if open_hold(session, ticket.id) is not None:
        raise Conflict(f"{ticket.id} is held already.")
    if ticket.payload_wrapped_key is None and ticket.kit_wrapped_key is None:
        raise Conflict(f"The material of {ticket.id} was shredded: there is nothing to hold.")
    made = TicketHold(id=uuid.uuid4(), ticket_id=ticket.id, reason=reason, set_by=who.owner, set_at=utc_now())
    session.add(made)
    ticket.version += 1
    rows.record(session, ticket, who.owner, reason, "hold.set")
    return made


def release(session: Session, who: Actor, ticket: Ticket, note: str) -> TicketHold:
    """The first person asks, a second one, who is not the first, releases; raises FourEyes, Conflict."""
    found = open_hold(session, ticket.id, lock=True)
    if found is None:
        raise Conflict(f"{ticket.id} is not held.")
    ticket.version += 1
    if found.release_asked_by is None:
        found.release_asked_by, found.release_asked_at = who.owner, utc_now()
        rows.record(session, ticket, who.owner, note, "hold.release_asked")
    elif found.release_asked_by == who.owner:
        raise FourEyes(f"{who.owner} asked for the release: somebody else has to confirm it.")
    else:
        found.released_by, found.released_at = who.owner, utc_now()
        rows.record(session, ticket, who.owner, note, "hold.released")
    return found


def open_hold(session: Session, ticket_id: str, *, lock: bool = False) -> TicketHold | None:
    """The hold that is in force, if any."""
    query = select(TicketHold).where(TicketHold.ticket_id == ticket_id, TicketHold.released_at.is_(None))
    return session.scalar(query.with_for_update() if lock else query)


def must_not_be_held(session: Session, ticket: Ticket) -> None:
    """Raise OnHold where a legal hold keeps the material as it is. Shredding asks here."""
    if open_hold(session, ticket.id) is not None:
        raise OnHold(f"{ticket.id} is under a legal hold: its material is kept as it is.")


def _restart(session: Session, ticket: Ticket, who: Actor) -> None:
    """`stopped` cannot be taken back in an append-only history: a new receipt at the old moment begins a new run."""
    received = rows.clock_events(session, ticket.id)[0].at
    rows.set_clock(session, ticket, "received", who.owner, at=received)
