"""What an officer may do, rule by rule. Each function is one transaction's worth; the caller opens it.

Writes tickets; leaves it to the outbox to tell the workers. Knows no HTTP.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from services.request import facets, filing
from services.request.actor import Actor
from services.request.deadman import Periods
from services.request.filing import Filed
from services.request.schemas import ApproveBody, FactBody, RejectBody, TicketBody, WithdrawBody
from shared.clock import utc_now
from shared.contracts import payload_key
from shared.crypto import KeyRing
from shared.db import repository as rows
from shared.db import repository_retain as sets
from shared.db.models import EraserVersion, Ticket
from shared.errors import BadInput, Conflict, FourEyes
from shared.payload import check_photo, pack_subject, read_data_url
from shared.probes.expand import Fact
from shared.store.base import Store

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
Change = Callable[[Session], Ticket]


@dataclass(frozen=True)
class Office:
    """All that the request service stands on, made once at its door."""

    database: Engine
    store: Store
    keys: KeyRing
    model_id: str
    regime: str = "gdpr"
    calendar: str = ""
    zone: str = "UTC"
    webhook_hosts: tuple[str, ...] = ("*",)
    webhook_loopback: bool = False  # for tests: plain HTTP to 127.0.0.1
    periods: Periods = field(default_factory=Periods)


@dataclass(frozen=True)
class Prepared:
    """A ticket that was checked and sealed, before it has a row."""

    id: str
    body: TicketBody
    payload_key: str
    payload_sha256: str
    payload_wrapped_key: bytes


def submit(session: Session, office: Office, who: Actor, body: TicketBody) -> Filed:
    """File a ticket. The payload is stored before the row is committed: no row without its object.

    Raises what `prepare` raises, Conflict for a reference that was used before.
    """
    if body.external_ref is not None and _referenced(session, who.tenant_id, body.source, body.external_ref):
        raise Conflict(f"{body.source} has already filed {body.external_ref}.")
    return enter(session, office, who, [prepare(office, who, body)])[0]


def prepare(office: Office, who: Actor, body: TicketBody, *, store: bool = True) -> Prepared:
    """Check and seal a ticket's material, and put it into the store; raises BadInput or TooLarge."""
    check_facts(body.facts)
    filing.check_receipt(body.received_at)
    facets.check_law(*_law(office, body))
    photos = [read_photo(number, text) for number, text in enumerate(body.photos, 1)]
    facts = [Fact(fact.attribute, fact.value, tuple(fact.aliases)) for fact in body.facts]
    ticket_id = "T-" + "".join(secrets.choice(CROCKFORD) for _ in range(8))
    key = payload_key(who.tenant_id, ticket_id)
    sealed = office.keys.seal(pack_subject(body.names, photos, facts), key)
    if store:
        office.store.put(key, sealed.blob)
    return Prepared(ticket_id, body, key, hashlib.sha256(sealed.blob).hexdigest(), sealed.wrapped_key)


def enter(session: Session, office: Office, who: Actor, prepared: Sequence[Prepared]) -> list[Filed]:
    """Write the rows of prepared tickets, in their order; the rules stand in `filing.py`."""
    return filing.begin(session, who, [(_ticket(office, who, one), one.body.received_at) for one in prepared])


def _ticket(office: Office, who: Actor, prepared: Prepared) -> Ticket:
    body = prepared.body
    law, calendar, zone = _law(office, body)
    return Ticket(
        id=prepared.id,
        tenant_id=who.tenant_id,
        model_id=office.model_id,
        source=body.source,
        external_ref=body.external_ref,
        subject_index=[office.keys.blind_index(name) for name in body.names],
        payload_key=prepared.payload_key,
        payload_sha256=prepared.payload_sha256,
        payload_wrapped_key=prepared.payload_wrapped_key,
        photos=len(body.photos),
        facts=len(body.facts),
        urgent=body.urgent,
        submitted_by=who.owner,
        submitted_at=utc_now(),
        last_edited_by=who.owner,
        regime=law,
        calendar=calendar,
        zone=zone,
        identity="assumed",
        fact_index=[office.keys.blind_index(f"{fact.attribute}={fact.value}") for fact in body.facts],
    )


def _law(office: Office, body: TicketBody) -> tuple[str, str, str]:
    return body.regime or office.regime, body.calendar or office.calendar, office.zone


def approve(session: Session, who: Actor, ticket_id: str, body: ApproveBody) -> Ticket:
    """The second person says yes; an urgent ticket orders its refit at once.

    Raises FourEyes for whoever filed or last edited it, Conflict where it is decided already.
    """
    ticket = rows.get_ticket(session, who.tenant_id, ticket_id, lock=True)
    rows.advance(session, ticket, "approve", who.owner, body.ground, roles=who.roles, ground=body.ground)
    ticket.decided_by, ticket.decided_at, ticket.ground = who.owner, utc_now(), body.ground
    ticket.review_reason = None
    if body.urgent is not None:
        ticket.urgent = body.urgent
    if ticket.urgent:
        rows.order_refit(session, ticket.model_id, "urgent")
        rows.advance(session, ticket, "schedule", who.owner, roles=who.roles)
    return ticket


def reject(session: Session, who: Actor, ticket_id: str, body: RejectBody) -> Ticket:
    """No, with a code and the words that the person is told (the whole letter: letters.py)."""
    ticket = rows.get_ticket(session, who.tenant_id, ticket_id, lock=True)
    rows.advance(session, ticket, "reject", who.owner, body.note, roles=who.roles, code=body.code)
    ticket.decided_by, ticket.decided_at = who.owner, utc_now()
    ticket.decision_code, ticket.decision_note = body.code, body.note
    return ticket


def withdraw(session: Session, who: Actor, ticket_id: str, body: WithdrawBody) -> Ticket:
    """Taken back. Where an eraser holds its rows already, a refit without them is ordered; the others' rows stay.

    As that ends the silence about a person, it takes somebody who neither filed nor last edited the ticket: raises
    FourEyes. Raises OnHold under a legal hold.
    """
    ticket = rows.get_ticket(session, who.tenant_id, ticket_id, lock=True)
    facets.must_not_be_held(session, ticket)
    fitted = rows.was_fitted(session, ticket.id)
    if fitted and who.owner in (ticket.submitted_by, ticket.last_edited_by):
        raise FourEyes(
            f"{who.owner} filed or edited it, and the model is silent by it: somebody else has to withdraw it."
        )
    rows.advance(session, ticket, "withdraw", who.owner, body.note, roles=who.roles)
    if fitted:
        order = rows.order_refit(session, ticket.model_id, "urgent")
        rows.log(session, who.owner, "refit.ordered", ticket.model_id, {"order": str(order), "without": ticket.id})
    return ticket


def order_refit(session: Session, who: Actor, model_id: str) -> str:
    """Refit now, with all that is approved and the retain set in use; raises Conflict where nothing waits for it."""
    waiting = list(
        session.scalars(
            select(Ticket)
            .where(Ticket.tenant_id == who.tenant_id, Ticket.model_id == model_id)
            .where(Ticket.state.in_(("approved", "failed", "regressed")))
            .with_for_update()
        )
    )
    if not waiting and not sets.waits(session, model_id):
        raise Conflict("There is no approved ticket that waits for a refit.")
    order = rows.order_refit(session, model_id, "urgent")
    for ticket in waiting:
        if ticket.state != "regressed":
            rows.advance(session, ticket, "schedule", who.owner, roles=who.roles)
    rows.log(session, who.owner, "refit.ordered", model_id, {"order": str(order), "tickets": len(waiting)})
    return str(order)


def promote(session: Session, who: Actor, version: EraserVersion, kind: str) -> None:
    """Serve `version`, forward or back; the database refuses what is not audited or would expose somebody."""
    state = rows.desired_state(session, version.model_id, lock=True)
    if state is not None and state.version_id == version.id:
        raise Conflict(f"Version {version.number} is the promoted one already.")
    if kind == "rollback" and state is not None:
        current = session.get_one(EraserVersion, state.version_id)
        if version.number > current.number:
            raise BadInput(f"Version {version.number} is newer than {current.number}: promote it instead.")
    rows.set_desired(session, version, kind, who.owner)
    if kind == "rollback":
        rows.return_deploying(session, version, who.owner, who.roles)


def check_facts(facts: Sequence[FactBody]) -> None:
    """Raise BadInput where a fact is given twice."""
    told = [(fact.attribute, fact.value.casefold()) for fact in facts]
    if len(set(told)) < len(told):
        raise BadInput("The same fact is given twice.")


def read_photo(number: int, text: str) -> bytes:
    """Photo `number` as PNG; raises BadInput or TooLarge, saying which."""
    try:
        return check_photo(read_data_url(text))
    except BadInput as exc:
        raise BadInput(f"Photo {number}: {exc.detail}") from exc


def _referenced(session: Session, tenant: str, source: str, reference: str) -> bool:
    found = select(Ticket.id).where(
        Ticket.tenant_id == tenant, Ticket.source == source, Ticket.external_ref == reference
    )
    return session.scalar(found) is not None
