"""What an officer may do, rule by rule. Each function is one transaction's worth; the caller opens it.

Writes tickets; leaves it to the outbox to tell the workers. Knows no HTTP.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from services.request import facets
from services.request.schemas import ApproveBody, FactBody, RejectBody, TicketBody, WithdrawBody
from shared.clock import utc_now
from shared.contracts import payload_key
from shared.crypto import KeyRing
from shared.db import repository as rows
from shared.db import repository_retain as sets
from shared.db.models import ApiKey, EraserVersion, IdempotencyKey, Ticket
from shared.db.session import transaction
from shared.errors import BadInput, Conflict
from shared.payload import check_photo, pack_subject, read_data_url
from shared.probes.expand import Fact
from shared.store.base import Store

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


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


def submit(office: Office, who: ApiKey, body: TicketBody, idempotency_key: str | None) -> tuple[Ticket, bool]:
    """File a ticket; (ticket, whether it is new). The payload is stored before the row: no row without its object.

    Raises BadInput or TooLarge for a photo, Conflict for a reference or a key that was used for something else.
    """
    digest = hashlib.sha256(body.model_dump_json().encode()).hexdigest()
    with transaction(office.database) as session:
        known = _seen_before(session, who, idempotency_key, digest)
        if known is not None:
            return known, False
    check_facts(body.facts)
    photos = [read_photo(number, text) for number, text in enumerate(body.photos, 1)]
    facts = [Fact(fact.attribute, fact.value, tuple(fact.aliases)) for fact in body.facts]
    ticket_id = "T-" + "".join(secrets.choice(CROCKFORD) for _ in range(8))
    key = payload_key(who.tenant_id, ticket_id)
    plain = pack_subject(body.names, photos, facts)
    sealed = office.keys.seal(plain, key)
    office.store.put(key, sealed.blob)
    with transaction(office.database) as session:
        if body.external_ref is not None and _referenced(session, who.tenant_id, body.source, body.external_ref):
            raise Conflict(f"{body.source} has already filed {body.external_ref}.")
        ticket = Ticket(
            id=ticket_id,
            tenant_id=who.tenant_id,
            model_id=office.model_id,
            state="received",
            source=body.source,
            external_ref=body.external_ref,
            subject_index=[office.keys.blind_index(name) for name in body.names],
            payload_key=key,
            payload_sha256=hashlib.sha256(sealed.blob).hexdigest(),
            payload_wrapped_key=sealed.wrapped_key,
            photos=len(photos),
            facts=len(facts),
            urgent=body.urgent,
            submitted_by=who.owner,
            submitted_at=utc_now(),
            last_edited_by=who.owner,
            version=1,
            fact_index=[office.keys.blind_index(f"{fact.attribute}={fact.value}") for fact in facts],
        )
        facets.set_law(ticket, body.regime or office.regime, body.calendar or office.calendar, office.zone)
        session.add(ticket)
        session.flush()
        facets.begin(session, ticket, who, body.received_at)
        if idempotency_key is not None:
            session.add(
                IdempotencyKey(
                    tenant_id=who.tenant_id,
                    owner=who.owner,
                    key=idempotency_key,
                    body_sha256=digest,
                    ticket_id=ticket_id,
                    created_at=utc_now(),
                )
            )
        return ticket, True


def approve(session: Session, who: ApiKey, ticket_id: str, body: ApproveBody) -> Ticket:
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


def reject(session: Session, who: ApiKey, ticket_id: str, body: RejectBody) -> Ticket:
    """No, with a code and the words that the person is told (the whole letter: letters.py)."""
    ticket = rows.get_ticket(session, who.tenant_id, ticket_id, lock=True)
    rows.advance(session, ticket, "reject", who.owner, body.note, roles=who.roles, code=body.code)
    ticket.decided_by, ticket.decided_at = who.owner, utc_now()
    ticket.decision_code, ticket.decision_note = body.code, body.note
    return ticket


def withdraw(session: Session, who: ApiKey, ticket_id: str, body: WithdrawBody) -> Ticket:
    """Taken back. Where an eraser holds its rows already, a refit without them is ordered; the others' rows stay."""
    ticket = rows.get_ticket(session, who.tenant_id, ticket_id, lock=True)
    rows.advance(session, ticket, "withdraw", who.owner, body.note, roles=who.roles)
    if rows.was_fitted(session, ticket.id):
        order = rows.order_refit(session, ticket.model_id, "urgent")
        rows.log(session, who.owner, "refit.ordered", ticket.model_id, {"order": str(order), "without": ticket.id})
    return ticket


def order_refit(session: Session, who: ApiKey, model_id: str) -> str:
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


def promote(session: Session, who: ApiKey, version: EraserVersion, kind: str) -> None:
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


def _seen_before(session: Session, who: ApiKey, key: str | None, digest: str) -> Ticket | None:
    if key is None:
        return None
    known = session.get(IdempotencyKey, (who.tenant_id, who.owner, key))
    if known is None:
        return None
    if known.body_sha256 != digest:
        raise BadInput("This Idempotency-Key was used for another request.")
    return rows.get_ticket(session, who.tenant_id, known.ticket_id)


def _referenced(session: Session, tenant: str, source: str, reference: str) -> bool:
    found = select(Ticket.id).where(
        Ticket.tenant_id == tenant, Ticket.source == source, Ticket.external_ref == reference
    )
    return session.scalar(found) is not None
