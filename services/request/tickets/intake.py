"""How tickets begin: one that an officer files or a batch of an import, by the same rules, in the same round trips.

What follows from the law and from what was filed before is worked out first; then every row (ticket, history, clock,
log) is written at once. The objects in the store are there already (`service.prepare`).
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.api.schemas import FactCreate
from services.request.auth.principals import Principal
from services.request.context import AppContext
from services.request.tickets import deadlines
from services.request.tickets.schemas import TicketCreate
from shared.artifacts.payloads import pack_subject
from shared.artifacts.photos import normalize_photo, read_data_url
from shared.core.clock import utc_now
from shared.db.bulk_insert import bulk_insert
from shared.db.models.tickets import Ticket, TicketClock, TicketEvent
from shared.db.models.transparency import LogLeaf
from shared.db.repositories import ticket_duplicates
from shared.domain.deadlines import ESCALATION_PERCENTS, Calendar, Clock, ClockEvent, compute_clock, escalation_time
from shared.domain.regimes import regime
from shared.domain.subjects import Fact
from shared.domain.ticket_lifecycle import Event, TransitionContext, transition
from shared.errors import BadInput, Conflict
from shared.storage.object_keys import payload_key

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

OLDEST: Final = timedelta(days=366 * 3)  # a request that came by letter and was mislaid


@dataclass(frozen=True)
class NewTicket:
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


def insert_tickets(
    session: Session, principal: Principal, made: Sequence[tuple[Ticket, datetime | None]]
) -> list[NewTicket]:
    """Write new tickets of one model, each with the moment of its receipt where that is not now.

    Each is reviewed, unless the same was filed before: one name and one fact in common with a ticket that is not over.
    A name alone may be a namesake's, which is said and left to a person. Whoever files the same subject at the same
    moment waits here, so exactly one is first.
    """
    if not made:
        return []
    names = sorted({name for ticket, _ in made for name in ticket.subject_index})
    facts = sorted({fact for ticket, _ in made for fact in ticket.fact_index})
    ticket_duplicates.lock_subjects(session, principal.tenant_id, names)
    before = ticket_duplicates.find_earlier_tickets(session, principal.tenant_id, made[0][0].model_id, names, facts)
    filed = []
    for ticket, received in made:
        first = next((old for old in before.matching if old.matches(ticket.subject_index, ticket.fact_index)), None)
        namesake = not before.names.isdisjoint(ticket.subject_index)
        filed.append(_begun(ticket, principal, received or utc_now(), first.id if first else None, namesake=namesake))
        if first is None:
            before.matching.append(
                ticket_duplicates.EarlierTicket(
                    ticket.id, frozenset(ticket.subject_index), frozenset(ticket.fact_index)
                )
            )
            before.names.update(ticket.subject_index)
    bulk_insert(
        session,
        [one.ticket for one in filed],
        [event for one in filed for event in one.events],
        [told for one in filed for told in one.clock_events],
        [leaf for one in filed for leaf in one.leaves],
    )
    return filed


def _begun(
    ticket: Ticket, principal: Principal, received: datetime, duplicate_of: str | None, *, namesake: bool
) -> NewTicket:
    """Received, and put at once where it belongs; a duplicate's clock stops as it starts."""
    event: Event = "duplicate" if duplicate_of else "review"
    case = TransitionContext(actor=principal.owner, submitted_by=principal.owner, last_edited_by=principal.owner)
    target, now = transition("received", event, principal.roles, case), utc_now()
    told = [ClockEvent("received", received)] + ([ClockEvent("stopped", now)] if duplicate_of else [])
    clock = compute_clock(regime(ticket.regime), Calendar(ticket.calendar, ticket.zone), told, now)
    ticket.state, ticket.version, ticket.duplicate_of = target, 2, duplicate_of
    ticket.review_reason = "possible_namesake" if namesake and not duplicate_of else None
    ticket.clock, ticket.due_at = "stopped" if duplicate_of else "running", clock.due_at
    ticket.escalate_at = None if duplicate_of else escalation_time(clock, received, ESCALATION_PERCENTS[0])
    states = (("received", None), (target, f"The same as {duplicate_of}." if duplicate_of else None))
    return NewTicket(
        ticket,
        clock,
        tuple(
            TicketEvent(ticket_id=ticket.id, at=now, actor=principal.owner, state=state, note=note, kind="state")
            for state, note in states
        ),
        tuple(
            TicketClock(ticket_id=ticket.id, kind=one.kind, at=one.at, actor=principal.owner, reason=None)
            for one in told
        ),
        tuple(
            LogLeaf(
                at=now, actor=principal.owner, kind=f"ticket.{state}", subject=ticket.id, detail={"version": version}
            )
            for version, (state, _) in enumerate(states, 1)
        ),
    )


@dataclass(frozen=True)
class Prepared:
    """A ticket that was checked and sealed, before it has a row."""

    id: str
    body: TicketCreate
    payload_key: str
    payload_sha256: str
    payload_wrapped_key: bytes


def submit(session: Session, context: AppContext, principal: Principal, body: TicketCreate) -> NewTicket:
    """File a ticket. The payload is stored before the row is committed: no row without its object.

    Raises what `prepare` raises, Conflict for a reference that was used before.
    """
    if body.external_ref is not None and _referenced(session, principal.tenant_id, body.source, body.external_ref):
        raise Conflict(f"{body.source} has already filed {body.external_ref}.")
    return insert(session, context, principal, [seal_material(context, principal, body)])[0]


def seal_material(context: AppContext, principal: Principal, body: TicketCreate, *, store: bool = True) -> Prepared:
    """Check and seal a ticket's material, and put it into the store; raises BadInput or TooLarge."""
    check_facts(body.facts)
    check_receipt(body.received_at)
    deadlines.check_law(*_law(context, body))
    photos = [read_photo(number, text) for number, text in enumerate(body.photos, 1)]
    facts = [Fact(fact.attribute, fact.value, tuple(fact.aliases)) for fact in body.facts]
    ticket_id = "T-" + "".join(secrets.choice(CROCKFORD) for _ in range(8))
    key = payload_key(principal.tenant_id, ticket_id)
    sealed = context.keys.seal(pack_subject(body.names, photos, facts), key)
    if store:
        context.store.put(key, sealed.blob)
    return Prepared(ticket_id, body, key, hashlib.sha256(sealed.blob).hexdigest(), sealed.wrapped_key)


def insert(
    session: Session, context: AppContext, principal: Principal, prepared: Sequence[Prepared]
) -> list[NewTicket]:
    """Write the rows of prepared tickets, in their order; the rules stand in `filing.py`."""
    return insert_tickets(
        session, principal, [(_ticket(context, principal, one), one.body.received_at) for one in prepared]
    )


def _ticket(context: AppContext, principal: Principal, prepared: Prepared) -> Ticket:
    body = prepared.body
    law, calendar, zone = _law(context, body)
    return Ticket(
        id=prepared.id,
        tenant_id=principal.tenant_id,
        model_id=context.model_id,
        source=body.source,
        external_ref=body.external_ref,
        subject_index=[context.keys.blind_index(name) for name in body.names],
        payload_key=prepared.payload_key,
        payload_sha256=prepared.payload_sha256,
        payload_wrapped_key=prepared.payload_wrapped_key,
        photos=len(body.photos),
        facts=len(body.facts),
        urgent=body.urgent,
        submitted_by=principal.owner,
        submitted_at=utc_now(),
        last_edited_by=principal.owner,
        regime=law,
        calendar=calendar,
        zone=zone,
        identity="assumed",
        fact_index=[context.keys.blind_index(f"{fact.attribute}={fact.value}") for fact in body.facts],
    )


def _law(context: AppContext, body: TicketCreate) -> tuple[str, str, str]:
    return body.regime or context.regime, body.calendar or context.calendar, context.zone


def check_facts(facts: Sequence[FactCreate]) -> None:
    """Raise BadInput where a fact is given twice."""
    told = [(fact.attribute, fact.value.casefold()) for fact in facts]
    if len(set(told)) < len(told):
        raise BadInput("The same fact is given twice.")


def read_photo(number: int, text: str) -> bytes:
    """Photo `number` as PNG; raises BadInput or TooLarge, saying which."""
    try:
        return normalize_photo(read_data_url(text))
    except BadInput as exc:
        raise BadInput(f"Photo {number}: {exc.detail}") from exc


def _referenced(session: Session, tenant: str, source: str, reference: str) -> bool:
    found = select(Ticket.id).where(
        Ticket.tenant_id == tenant, Ticket.source == source, Ticket.external_ref == reference
    )
    return session.scalar(found) is not None
