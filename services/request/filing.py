"""How tickets begin: one that an officer files or a batch of an import, by the same rules, in the same round trips.

What follows from the law and from what was filed before is worked out first; then every row (ticket, history, clock,
log) is written at once. The objects in the store are there already (`service.prepare`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from services.request.actor import Actor
from shared.clock import utc_now
from shared.db import repository_tickets as tickets
from shared.db.models import LogLeaf, Ticket, TicketClock, TicketEvent
from shared.db.writing import write
from shared.deadline import STEPS, Calendar, Clock, ClockEvent, step_at, tell
from shared.errors import BadInput
from shared.lifecycle import Case, Event, step
from shared.regimes import regime

OLDEST: Final = timedelta(days=366 * 3)  # a request that came by letter and was mislaid


@dataclass(frozen=True)
class Filed:
    """A ticket as it was written, with all that there is of it; it belongs to no session."""

    ticket: Ticket
    clock: Clock
    events: tuple[TicketEvent, ...]
    clock_events: tuple[TicketClock, ...]
    leaves: tuple[LogLeaf, ...]


def check_receipt(received: datetime | None) -> None:
    """Raise BadInput for a receipt in the future or very long ago."""
    now = utc_now()
    if received is not None and not now - OLDEST < received <= now:
        raise BadInput("A request was received in the past, and not more than three years ago.")


def begin(session: Session, who: Actor, made: Sequence[tuple[Ticket, datetime | None]]) -> list[Filed]:
    """Write new tickets of one model, each with the moment of its receipt where that is not now.

    Each is reviewed, unless the same was filed before: one name and one fact in common with a ticket that is not over.
    A name alone may be a namesake's, which is said and left to a person. Whoever files the same subject at the same
    moment waits here, so exactly one is first.
    """
    if not made:
        return []
    names = sorted({name for ticket, _ in made for name in ticket.subject_index})
    facts = sorted({fact for ticket, _ in made for fact in ticket.fact_index})
    tickets.lock_subjects(session, who.tenant_id, names)
    before, known = tickets.filed_before(session, who.tenant_id, made[0][0].model_id, names, facts)
    filed = []
    for ticket, received in made:
        first = next((old for old in before if old.same(ticket.subject_index, ticket.fact_index)), None)
        namesake = not known.isdisjoint(ticket.subject_index)
        filed.append(_begun(ticket, who, received or utc_now(), first.id if first else None, namesake=namesake))
        if first is None:
            before.append(tickets.Earlier(ticket.id, frozenset(ticket.subject_index), frozenset(ticket.fact_index)))
            known |= set(ticket.subject_index)
    write(
        session,
        [one.ticket for one in filed],
        [event for one in filed for event in one.events],
        [told for one in filed for told in one.clock_events],
        [leaf for one in filed for leaf in one.leaves],
    )
    return filed


def _begun(ticket: Ticket, who: Actor, received: datetime, duplicate_of: str | None, *, namesake: bool) -> Filed:
    """Received, and put at once where it belongs; a duplicate's clock stops as it starts."""
    event: Event = "duplicate" if duplicate_of else "review"
    case = Case(actor=who.owner, submitted_by=who.owner, last_edited_by=who.owner)
    target, now = step("received", event, who.roles, case), utc_now()
    told = [ClockEvent("received", received)] + ([ClockEvent("stopped", now)] if duplicate_of else [])
    clock = tell(regime(ticket.regime), Calendar(ticket.calendar, ticket.zone), told, now)
    ticket.state, ticket.version, ticket.duplicate_of = target, 2, duplicate_of
    ticket.review_reason = "possible_namesake" if namesake and not duplicate_of else None
    ticket.clock, ticket.due_at = "stopped" if duplicate_of else "running", clock.due_at
    ticket.escalate_at = None if duplicate_of else step_at(clock, received, STEPS[0])
    states = (("received", None), (target, f"The same as {duplicate_of}." if duplicate_of else None))
    return Filed(
        ticket,
        clock,
        tuple(
            TicketEvent(ticket_id=ticket.id, at=now, actor=who.owner, state=state, note=note, kind="state")
            for state, note in states
        ),
        tuple(TicketClock(ticket_id=ticket.id, kind=one.kind, at=one.at, actor=who.owner, reason=None) for one in told),
        tuple(
            LogLeaf(at=now, actor=who.owner, kind=f"ticket.{state}", subject=ticket.id, detail={"version": version})
            for version, (state, _) in enumerate(states, 1)
        ),
    )
