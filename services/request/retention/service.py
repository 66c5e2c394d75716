"""Retention: destroy what is no longer needed, a ticket's payload after its end and a grace period, its kit when over.

First the wrapped key is taken from the ticket, with its proof and a leaf in the log, in one transaction: that decides
it, and the database notes which shredding key is no longer needed. Then the shredding key is destroyed, so that no copy
of the wrapped key in the write-ahead log, in the pages or in backups of the database opens anything; then the object.
A crash in between leaves the rest to the next round, and the log says that something is destroyed only after it is.
"""

import hashlib
import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from sqlalchemy import exists, false, func, or_, select, text
from sqlalchemy.orm import Session, aliased

from services.request.tickets.legal_holds import ensure_not_held
from shared.artifacts.subject_material import open_material, pack_kit
from shared.core.clock import utc_now
from shared.crypto.keyring import KeyRing
from shared.db.models.tickets import Disposal, RetiredKey, Ticket, TicketEvent, TicketHold
from shared.db.repositories import audit_log
from shared.domain.accounts import SYSTEM_ACTOR
from shared.domain.ticket_lifecycle import CLOSED
from shared.errors import Conflict
from shared.storage.base import ObjectStore
from shared.storage.object_keys import kit_key

logger = logging.getLogger(__name__)
AT_ONCE: Final = 20

SealedObject = Literal["payload", "kit"]

# As text, because a statement of the ORM would see the tenant of the transaction alone.
_NEEDED: Final = text(
    " UNION ".join(
        f"SELECT shredding_key({column}) FROM {table} WHERE shredding_key({column}) = ANY(:names)"  # noqa: S608
        for table, column in (
            ("ticket", "payload_wrapped_key"),
            ("ticket", "kit_wrapped_key"),
            ("fit_rows", "wrapped_key"),
            ("letter", "wrapped_key"),
            ("import_job", "wrapped_key"),
            ("drop_list", "wrapped_key"),
            ("ticket_contact", "wrapped_key"),
            ("form_request", "wrapped_key"),
        )
    )
)


@dataclass(frozen=True)
class Retention:
    """How long payloads and letters are kept after the end of a ticket, and kits once made.

    None: a kit is kept while its ticket is in force, a letter for good.
    """

    payload: timedelta = timedelta(days=30)
    kit: timedelta | None = None
    letters: timedelta | None = None

    @property
    def look_every_s(self) -> float:
        """How often to look: a hundredth of the grace period, between a second and five minutes."""
        return min(300.0, max(1.0, self.payload.total_seconds() / 100))


@dataclass(frozen=True)
class DueObject:
    """One sealed object of a ticket whose time is over."""

    ticket_id: str
    kind: SealedObject


def due_for_shredding(session: Session, model_id: str, keep: Retention) -> list[DueObject]:
    """What has to be destroyed now, at most AT_ONCE payloads and AT_ONCE kits. A held ticket keeps everything."""
    now = utc_now()
    ended = (
        select(func.max(TicketEvent.at))
        .where(TicketEvent.ticket_id == Ticket.id, TicketEvent.kind == "state")
        .scalar_subquery()
    )
    # In random order: what cannot be destroyed (an object from which no kit can be made) must not block the rest.
    held = exists().where(TicketHold.ticket_id == Ticket.id, TicketHold.released_at.is_(None))
    free = select(Ticket.id).where(Ticket.model_id == model_id, ~held).order_by(func.random()).limit(AT_ONCE)
    over_states = ("completed", *CLOSED)
    original = aliased(Ticket)  # what a duplicate says is needed where its original ends without an eraser
    awaited = (Ticket.state == "duplicate") & exists().where(
        original.id == Ticket.duplicate_of, original.state.not_in(over_states)
    )
    payloads = free.where(
        Ticket.payload_wrapped_key.is_not(None), Ticket.state.in_(over_states), ended <= now - keep.payload, ~awaited
    )
    over = Ticket.state.in_(CLOSED) & (ended <= now - keep.payload)
    old = Ticket.kit_made_at <= now - keep.kit if keep.kit is not None else false()
    kits = free.where(Ticket.kit_wrapped_key.is_not(None), or_(over, old))
    return [DueObject(ticket_id, "payload") for ticket_id in session.scalars(payloads)] + [
        DueObject(ticket_id, "kit") for ticket_id in session.scalars(kits)
    ]


def shred_key(session: Session, store: ObjectStore, keys: KeyRing, ticket_id: str, kind: SealedObject) -> None:
    """Take the wrapped key of one object from a ticket, with its proof; a completed ticket first gets its kit.

    Nothing is done where the key is destroyed already, or another process has the ticket. Raises OnHold under a legal
    hold, Conflict where the ticket is under way again.
    """
    ticket = session.scalar(select(Ticket).where(Ticket.id == ticket_id).with_for_update(skip_locked=True))
    if ticket is None or (ticket.payload_wrapped_key if kind == "payload" else ticket.kit_wrapped_key) is None:
        return
    ensure_not_held(session, ticket)
    if kind == "payload":
        if ticket.state not in ("completed", *CLOSED):
            raise Conflict(f"{ticket.id} is {ticket.state.replace('_', ' ')}: its payload is still needed.")
        if ticket.state == "completed":
            _make_kit(store, keys, ticket)
        key, digest = ticket.payload_key, ticket.payload_sha256
    else:
        key, digest = ticket.kit_key or "", ticket.kit_sha256 or ""
    session.add(
        Disposal(
            id=uuid.uuid4(),
            ticket_id=ticket.id,
            object=kind,
            object_key=key,
            sha256=digest,
            reason=ticket.state if kind == "payload" or ticket.state in CLOSED else "retention",
            begun_at=utc_now(),
        )
    )
    session.flush()
    if kind == "payload":
        ticket.payload_wrapped_key = None
    else:
        ticket.kit_wrapped_key = None
    ticket.version += 1
    audit_log.append_leaf(
        session, SYSTEM_ACTOR, f"{kind}.shredding_begun", ticket.id, {"object": key, "sha256": digest}
    )


def destroy_retired_keys(session: Session, keys: KeyRing) -> int:
    """Destroy the shredding keys that nothing needs any more, at most AT_ONCE, and record it; return how many.

    Raises KeysUnavailable where their store is away; what was destroyed before is destroyed again in the next round. A
    key that a row still needs is left alone.
    """
    # In random order: a key that is still needed must not block the rest.
    waiting = select(RetiredKey).where(RetiredKey.destroyed_at.is_(None)).order_by(func.random()).limit(AT_ONCE)
    retired = list(session.scalars(waiting.with_for_update(skip_locked=True)))
    in_use = _still_used(session, [key.name for key in retired if key.name is not None])
    destroyed = [key for key in retired if key.name not in in_use]
    for key in retired:
        if key.name in in_use:
            logger.error("the shredding key of %s is retired, and something is still sealed under it", key.object_key)
    for key in destroyed:
        if key.name is not None:
            keys.shred(key.name)
        key.destroyed_at = utc_now()
    session.flush()
    for key in destroyed:
        if not key.replaced and key.object != "import":
            _record_destruction(session, key)
    return len(destroyed)


def _still_used(session: Session, names: list[str]) -> set[str]:
    """Which of the shredding keys `names` a wrapped key in the database needs, whichever tenant's."""
    return set(session.scalars(_NEEDED, {"names": names})) if names else set()


def _record_destruction(session: Session, key: RetiredKey) -> None:
    if key.object in ("payload", "kit"):
        of_object = select(Disposal).where(Disposal.ticket_id == key.subject, Disposal.object_key == key.object_key)
        disposal = session.scalars(of_object).one()
        if disposal.key_destroyed_at is not None:  # by a control loop of the version before, which logged it
            return
        disposal.key_destroyed_at = key.destroyed_at
        state = session.get_one(Ticket, key.subject).state
        session.add(
            TicketEvent(
                ticket_id=key.subject, at=utc_now(), actor=SYSTEM_ACTOR, state=state, kind=f"{key.object}.destroyed"
            )
        )
    detail = {"letter" if key.object == "letter" else "object": key.object_key, "sha256": key.sha256}
    audit_log.append_leaf(session, SYSTEM_ACTOR, f"{key.object}.destroyed", key.subject, detail)


def _make_kit(store: ObjectStore, keys: KeyRing, ticket: Ticket) -> None:
    key = kit_key(ticket.tenant_id, ticket.id, uuid.uuid4().hex[:8])
    sealed = keys.seal(pack_kit(open_material(store, keys, ticket)), key, shreddable=True)
    store.put(key, sealed.blob)
    ticket.kit_key, ticket.kit_wrapped_key, ticket.kit_made_at = key, sealed.wrapped_key, utc_now()
    ticket.kit_sha256 = hashlib.sha256(sealed.blob).hexdigest()


def delete_objects(session: Session, store: ObjectStore, model_id: str) -> None:
    """Delete the objects whose keys are destroyed, of tickets of the model, and record when."""
    of_model = exists().where(Ticket.id == Disposal.ticket_id, Ticket.model_id == model_id)
    waiting = select(Disposal).where(Disposal.removed_at.is_(None), Disposal.key_destroyed_at.is_not(None), of_model)
    for disposal in session.scalars(waiting.limit(AT_ONCE).with_for_update(skip_locked=True)):
        store.delete(disposal.object_key)
        disposal.removed_at = utc_now()
        audit_log.append_leaf(
            session, SYSTEM_ACTOR, f"{disposal.object}.removed", disposal.ticket_id, {"object": disposal.object_key}
        )
        logger.info("the %s of %s is destroyed", disposal.object, disposal.ticket_id)
