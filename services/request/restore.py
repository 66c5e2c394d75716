"""Compares the database with the high-water mark in the object store, and raises the mark as the database grows."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.request.service import Office
from shared import highwater
from shared.crypto import KeyRing
from shared.db import repository as rows
from shared.db.models import EraserVersion, LogLeaf
from shared.errors import IntegrityFailure, StaleRestore, StoreUnavailable
from shared.highwater import Mark
from shared.store.base import Store


def present(session: Session, model_id: str) -> Mark:
    """How far the database is."""
    state = rows.desired_state(session, model_id)
    newest = session.scalar(select(func.max(EraserVersion.number)).where(EraserVersion.model_id == model_id))
    size = session.scalar(select(func.max(LogLeaf.id)))
    return Mark(state.generation if state else 0, -1 if newest is None else newest, size or 0)


def keep(session: Session, store: Store, keys: KeyRing, model_id: str, known: Mark | None) -> Mark:
    """Raise the mark to where the database is; `known` is what this process last wrote, None at its start.

    Raises StaleRestore where the database is below the mark (which then stays as it is).
    """
    now = present(session, model_id)
    if known == now:
        return now
    mark = highwater.read(store, keys, model_id)
    highwater.check(mark, now)
    highwater.write(store, keys, model_id, now)
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
