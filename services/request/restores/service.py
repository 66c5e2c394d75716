"""Compare the database with the high-water mark in the object store; let two people accept an older database.

A database below its mark is refused until a newer backup is restored, or until two people accept what is lost: one asks
with a reason, another confirms, once, and only for the mark and the checkpoint that stand in the object store then. A
mark that is missing or was replaced by an older one is accepted in the same way. Only the control loop lowers the mark
(`jobs.py`). The sequencer keeps the abandoned checkpoints apart, as evidence, and goes on.
"""

import uuid
from contextlib import suppress
from hashlib import sha256

from sqlalchemy import ColumnElement, Text, cast, func, select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from services.request.context import AppContext
from shared.artifacts import high_water_mark
from shared.artifacts.high_water_mark import HighWaterMark
from shared.core.clock import utc_now
from shared.db.models.erasers import EraserVersion
from shared.db.models.operations import RestoreAcceptance
from shared.db.models.transparency import LogLeaf
from shared.db.repositories import audit_log, models, people, rollouts
from shared.db.session import transaction
from shared.domain.four_eyes import require_standing_request
from shared.errors import Conflict, IntegrityFailure, NotFound, StaleRestore, StoreUnavailable
from shared.storage.base import ObjectStore
from shared.storage.object_keys import NEWEST_CHECKPOINT


def present(session: Session, model_id: str) -> HighWaterMark:
    """How far the database has come."""
    state = rollouts.desired_state(session, model_id)
    newest = session.scalar(select(func.max(EraserVersion.number)).where(EraserVersion.model_id == model_id))
    size = session.scalar(select(func.max(LogLeaf.id)))
    return HighWaterMark(state.generation if state else 0, -1 if newest is None else newest, size or 0)


def stale_reason(session: Session, context: AppContext) -> str | None:
    """Why the database cannot be used, in a sentence for the status; None where it can, or where nobody can say."""
    try:
        stored = high_water_mark.read(context.store, context.keys, context.model_id)
        stored.check(present(session, context.model_id))
    except (StaleRestore, IntegrityFailure) as exc:
        return exc.detail
    except StoreUnavailable:
        return None
    return None


def model_of(context: AppContext, tenant: str) -> str:
    """The model that a tenant has in use. Raises NotFound."""
    with transaction(context.of_installation().database) as session:
        model_id = models.model_in_use(session, tenant)
    if not model_id:
        raise NotFound(f"There is no tenant {tenant}.")
    return model_id


def ask(session: Session, context: AppContext, principal: Principal, reason: str) -> RestoreAcceptance:
    """The first person asks to go on with this database, for the model of `context`.

    Raises Conflict where its mark stands, and it is not older.
    """
    stored = high_water_mark.read(context.store, context.keys, context.model_id)
    now = present(session, context.model_id)
    with suppress(StaleRestore):
        stored.check(now)
        raise Conflict("The database is not older than its mark: there is nothing to accept.")
    note = _stored_note(context.store)
    acceptance = RestoreAcceptance(
        id=uuid.uuid4(),
        model_id=context.model_id,
        mark_sha256=stored.digest(),
        mark=stored.highest().numbers(),
        present=now.numbers(),
        checkpoint=note.decode(errors="replace"),
        checkpoint_sha256=sha256(note).hexdigest(),
        reason=reason,
        asked_by=principal.owner,
        asked_at=utc_now(),
    )
    session.add(acceptance)
    session.flush()
    _log(session, principal, "restore.asked", acceptance)
    return acceptance


def confirm(session: Session, context: AppContext, principal: Principal, acceptance_id: uuid.UUID) -> RestoreAcceptance:
    """The second person confirms: the control loop lowers the mark, and what this database covers is served.

    Raises FourEyes for whoever asked, Conflict where it is confirmed, a day old, or the mark has changed since.
    """
    acceptance = get(session, acceptance_id, lock=True)
    deeds = [("asked to accept this restore", acceptance.asked_by)]
    people.require_second_person(session, principal.tenant_id, principal.owner, deeds, "confirm it")
    if acceptance.confirmed_at is not None:
        raise Conflict("It was confirmed already.")
    require_standing_request(acceptance.asked_at, utc_now())
    stored = high_water_mark.read(context.store, context.keys, acceptance.model_id)
    if acceptance.mark_sha256 != stored.digest():
        raise Conflict("The mark in the object store has changed since: ask again.")
    acceptance.confirmed_by, acceptance.confirmed_at = principal.owner, utc_now()
    session.flush()
    _log(session, principal, "restore.accepted", acceptance)
    return acceptance


def is_abandoned(session: Session, note: bytes) -> bool:
    """Whether two people accepted that the signed checkpoint `note` is of a past that is lost."""
    return _find_accepted(session, RestoreAcceptance.checkpoint_sha256 == sha256(note).hexdigest()) is not None


def get(session: Session, acceptance_id: uuid.UUID, *, lock: bool = False) -> RestoreAcceptance:
    """The acceptance; raises NotFound. With `lock` nobody else changes it until the transaction ends."""
    acceptance = session.get(RestoreAcceptance, acceptance_id, with_for_update=lock)
    if acceptance is None:
        raise NotFound("There is no such request to accept a restore.")
    return acceptance


def find_unused(session: Session, model_id: str, digest: str) -> RestoreAcceptance | None:
    """The acceptance of what has this digest (`StoredMark.digest`). Each is used once."""
    used = select(LogLeaf.id).where(
        LogLeaf.kind == "restore.used",
        LogLeaf.subject == func.concat(RestoreAcceptance.model_id, "/", cast(RestoreAcceptance.id, Text)),
    )
    return _find_accepted(
        session,
        RestoreAcceptance.model_id == model_id,
        RestoreAcceptance.mark_sha256 == digest,
        ~used.exists(),
    )


def _find_accepted(session: Session, *conditions: ColumnElement[bool]) -> RestoreAcceptance | None:
    """An acceptance that a second person confirmed and that meets the conditions."""
    accepted = select(RestoreAcceptance).where(*conditions, RestoreAcceptance.confirmed_at.is_not(None))
    return session.scalar(accepted.limit(1))


def _stored_note(store: ObjectStore) -> bytes:
    try:
        return store.get(NEWEST_CHECKPOINT)
    except NotFound:
        return b""


def _log(session: Session, principal: Principal, kind: str, acceptance: RestoreAcceptance) -> None:
    newest = audit_log.newest_checkpoint(session)
    detail = {
        "mark": acceptance.mark,
        "present": acceptance.present,
        "abandoned_checkpoint_sha256": acceptance.checkpoint_sha256,
        "goes_on_from": newest.size if newest else 0,
    }
    audit_log.append_leaf(session, principal.owner, kind, f"{acceptance.model_id}/{acceptance.id}", detail)
