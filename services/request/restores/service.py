"""Compares the database with the high-water mark in the object store, and raises the mark as the database grows.

A database below its mark is refused until it is mended, or until two people accept what is lost: one asks with a
reason, another confirms, and only for the mark and the checkpoint that stand in the object store then. The mark is
lowered by the clerk alone; the sequencer keeps the abandoned checkpoints apart (they are evidence) and goes on.
"""

import uuid
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from services.request.context import AppContext
from shared.artifacts import high_water_mark
from shared.artifacts.high_water_mark import HighWaterMark
from shared.core.clock import utc_now
from shared.db.models.erasers import EraserVersion
from shared.db.models.operations import RestoreAcceptance
from shared.db.models.transparency import LogLeaf
from shared.db.repositories import audit_log, rollouts
from shared.domain.four_eyes import require_second_person, require_standing_request
from shared.errors import Conflict, IntegrityFailure, NotFound, StaleRestore, StoreUnavailable
from shared.storage.base import ObjectStore
from shared.storage.object_keys import NEWEST_CHECKPOINT


def present(session: Session, model_id: str) -> HighWaterMark:
    """How far the database is."""
    state = rollouts.desired_state(session, model_id)
    newest = session.scalar(select(func.max(EraserVersion.number)).where(EraserVersion.model_id == model_id))
    size = session.scalar(select(func.max(LogLeaf.id)))
    return HighWaterMark(state.generation if state else 0, -1 if newest is None else newest, size or 0)


def stale_reason(session: Session, context: AppContext) -> str | None:
    """The sentence for whoever looks at the status, where there is something to say."""
    try:
        high_water_mark.check(
            high_water_mark.read(context.store, context.keys, context.model_id), present(session, context.model_id)
        )
    except (StaleRestore, IntegrityFailure) as exc:
        return exc.detail
    except StoreUnavailable:
        return None
    return None


def ask(session: Session, context: AppContext, principal: Principal, reason: str) -> RestoreAcceptance:
    """The first person asks to go on with this older database; raises Conflict where it is not older."""
    mark, now = high_water_mark.read(context.store, context.keys, context.model_id), present(session, context.model_id)
    if not mark.shortfalls(now):
        raise Conflict("The database is not older than its mark: there is nothing to accept.")
    note = _stored_note(context.store)
    made = RestoreAcceptance(
        id=uuid.uuid4(),
        model_id=context.model_id,
        mark_sha256=high_water_mark.text_digest(context.store, context.model_id),
        mark=asdict(mark),
        present=asdict(now),
        checkpoint=note.decode(errors="replace"),
        checkpoint_sha256=sha256(note).hexdigest(),
        reason=reason,
        asked_by=principal.owner,
        asked_at=utc_now(),
    )
    session.add(made)
    session.flush()
    _log(session, principal, "restore.asked", made)
    return made


def confirm(session: Session, context: AppContext, principal: Principal, acceptance_id: uuid.UUID) -> RestoreAcceptance:
    """The second person confirms: the clerk lowers the mark, and what this database covers is served.

    Raises FourEyes for whoever asked, Conflict where it is confirmed, a day old, or the mark is another one by now.
    """
    made = get(session, acceptance_id, lock=True)
    require_second_person(principal.owner, {"asked to accept this restore": made.asked_by}, "confirm it")
    if made.confirmed_at is not None:
        raise Conflict("It was confirmed already.")
    require_standing_request(made.asked_at, utc_now())
    if made.mark_sha256 != high_water_mark.text_digest(context.store, context.model_id):
        raise Conflict("The mark in the object store is another one by now: ask anew.")
    made.confirmed_by, made.confirmed_at = principal.owner, utc_now()
    session.flush()
    _log(session, principal, "restore.accepted", made)
    return made


def is_abandoned(session: Session, note: bytes) -> bool:
    """Whether two people accepted that the signed checkpoint `note` is of a past that is lost."""
    return _accepted(session, RestoreAcceptance.checkpoint_sha256 == sha256(note).hexdigest()) is not None


def get(session: Session, acceptance_id: uuid.UUID, *, lock: bool = False) -> RestoreAcceptance:
    """Raises NotFound."""
    found = session.get(RestoreAcceptance, acceptance_id, with_for_update=lock)
    if found is None:
        raise NotFound("Nobody asked for that.")
    return found


def view(one: RestoreAcceptance) -> dict[str, Any]:
    """As it is shown: what was, what is, who said so."""
    return {
        "id": str(one.id),
        "state": "accepted" if one.confirmed_at else "asked",
        "reason": one.reason,
        "mark": one.mark,
        "present": one.present,
        "checkpoint": one.checkpoint,
        "asked_by": one.asked_by,
        "asked_at": one.asked_at,
        "confirmed_by": one.confirmed_by,
        "confirmed_at": one.confirmed_at,
    }


def _accepted(session: Session, which: Any) -> RestoreAcceptance | None:
    return session.scalar(select(RestoreAcceptance).where(which, RestoreAcceptance.confirmed_at.is_not(None)).limit(1))


def _stored_note(store: ObjectStore) -> bytes:
    try:
        return store.get(NEWEST_CHECKPOINT)
    except NotFound:
        return b""


def _log(session: Session, principal: Principal, kind: str, made: RestoreAcceptance) -> None:
    newest = audit_log.newest_checkpoint(session)
    detail = {
        "mark": made.mark,
        "present": made.present,
        "abandoned_checkpoint_sha256": made.checkpoint_sha256,
        "goes_on_from": newest.size if newest else 0,
    }
    audit_log.append_leaf(session, principal.owner, kind, f"{made.model_id}/{made.id}", detail)
