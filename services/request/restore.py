"""Compares the database with the high-water mark in the object store, and raises the mark as the database grows.

A database below its mark is refused until it is mended, or until two people accept what is lost: one asks with a
reason, another confirms, and only for the mark and the checkpoint that stand in the object store then. The mark is
lowered by the clerk alone; the sequencer keeps the abandoned checkpoints apart (they are evidence) and goes on.
"""

import uuid
from dataclasses import asdict
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.request.actor import Actor
from services.request.service import Office
from shared import highwater
from shared.clock import utc_now
from shared.contracts import NEWEST_CHECKPOINT
from shared.crypto import KeyRing, Signer
from shared.db import repository as rows
from shared.db import repository_log
from shared.db.models import EraserVersion, LogLeaf, RestoreAcceptance
from shared.errors import Conflict, FourEyes, IntegrityFailure, NotFound, StaleRestore, StoreUnavailable
from shared.highwater import Mark
from shared.store.base import Store

ASK_LASTS: Final = timedelta(hours=24)


def present(session: Session, model_id: str) -> Mark:
    """How far the database is."""
    state = rows.desired_state(session, model_id)
    newest = session.scalar(select(func.max(EraserVersion.number)).where(EraserVersion.model_id == model_id))
    size = session.scalar(select(func.max(LogLeaf.id)))
    return Mark(state.generation if state else 0, -1 if newest is None else newest, size or 0)


def keep(
    session: Session, store: Store, keys: KeyRing, model_id: str, known: Mark | None, signer: Signer | None = None
) -> Mark:
    """Raise the mark to where the database is; `known` is what this process last wrote, None at its start.

    Raises StaleRestore where the database is below the mark (which then stays as it is), unless that was accepted.
    """
    now = present(session, model_id)
    if known == now:
        return now
    mark = highwater.read(store, keys, model_id)
    try:
        highwater.check(mark, now)
    except StaleRestore:
        accepted = _accepted(session, RestoreAcceptance.mark_sha256 == highwater.digest(store, model_id))
        if accepted is None:
            raise
        rows.log(session, "clerk", "restore.used", f"{model_id}/{accepted.id}", {"mark": accepted.mark})
        session.flush()
        now = present(session, model_id)
    highwater.write(store, keys, model_id, now, signer)
    return now


def complaint(session: Session, office: Office) -> str | None:
    """The sentence for whoever looks at the status, where there is something to say."""
    try:
        highwater.check(highwater.read(office.store, office.keys, office.model_id), present(session, office.model_id))
    except (StaleRestore, IntegrityFailure) as exc:
        return exc.detail
    except StoreUnavailable:
        return None
    return None


def ask(session: Session, office: Office, who: Actor, reason: str) -> RestoreAcceptance:
    """The first person asks to go on with this older database; raises Conflict where it is not older."""
    mark, now = highwater.read(office.store, office.keys, office.model_id), present(session, office.model_id)
    if not mark.above(now):
        raise Conflict("The database is not older than its mark: there is nothing to accept.")
    note = _stored_note(office.store)
    made = RestoreAcceptance(
        id=uuid.uuid4(),
        model_id=office.model_id,
        mark_sha256=highwater.digest(office.store, office.model_id),
        mark=asdict(mark),
        present=asdict(now),
        checkpoint=note.decode(errors="replace"),
        checkpoint_sha256=sha256(note).hexdigest(),
        reason=reason,
        asked_by=who.owner,
        asked_at=utc_now(),
    )
    session.add(made)
    session.flush()
    _log(session, who, "restore.asked", made)
    return made


def confirm(session: Session, office: Office, who: Actor, acceptance_id: uuid.UUID) -> RestoreAcceptance:
    """The second person confirms: the clerk lowers the mark, and what this database covers is served.

    Raises FourEyes for whoever asked, Conflict where it is confirmed, a day old, or the mark is another one by now.
    """
    made = get(session, acceptance_id, lock=True)
    if made.asked_by.strip().casefold() == who.owner.strip().casefold():
        raise FourEyes(f"{who.owner} asked for it: somebody else has to confirm.")
    if made.confirmed_at is not None:
        raise Conflict("It was confirmed already.")
    if utc_now() - made.asked_at > ASK_LASTS:
        raise Conflict("It was asked for more than a day ago: ask anew.")
    if made.mark_sha256 != highwater.digest(office.store, office.model_id):
        raise Conflict("The mark in the object store is another one by now: ask anew.")
    made.confirmed_by, made.confirmed_at = who.owner, utc_now()
    session.flush()
    _log(session, who, "restore.accepted", made)
    return made


def forgoes(session: Session, note: bytes) -> bool:
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


def _stored_note(store: Store) -> bytes:
    try:
        return store.get(NEWEST_CHECKPOINT)
    except NotFound:
        return b""


def _log(session: Session, who: Actor, kind: str, made: RestoreAcceptance) -> None:
    newest = repository_log.newest_checkpoint(session)
    detail = {
        "mark": made.mark,
        "present": made.present,
        "abandoned_checkpoint_sha256": made.checkpoint_sha256,
        "goes_on_from": newest.size if newest else 0,
    }
    rows.log(session, who.owner, kind, f"{made.model_id}/{made.id}", detail)
