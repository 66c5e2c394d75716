"""An operator's retain sets: which there are, and which one refits use. The request service writes them."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.erasers import EraserVersion
from shared.db.models.retain_sets import RetainChoice, RetainSet
from shared.errors import NotFound


def get_set(session: Session, model_id: str, number: int) -> RetainSet:
    """Retain set `number` of the model. Raises NotFound."""
    retain_set = session.get(RetainSet, (model_id, number))
    if retain_set is None:
        raise NotFound(f"There is no retain set {number}.")
    return retain_set


def list_sets(session: Session, model_id: str) -> list[RetainSet]:
    """The newest hundred sets of the model, newest first."""
    query = select(RetainSet).where(RetainSet.model_id == model_id)
    return list(session.scalars(query.order_by(RetainSet.number.desc()).limit(100)))


def set_by_digest(session: Session, model_id: str, digest: str) -> RetainSet | None:
    """The set with this content, where it was added before."""
    return session.scalar(select(RetainSet).where(RetainSet.model_id == model_id, RetainSet.digest == digest))


def next_number(session: Session, model_id: str) -> int:
    """One more than the newest set's number; 1 for the first."""
    return (session.scalar(select(func.max(RetainSet.number)).where(RetainSet.model_id == model_id)) or 0) + 1


def active_set(session: Session, model_id: str) -> RetainSet | None:
    """The set that the next refit uses beside the reference people, where one is chosen."""
    choice = session.get(RetainChoice, model_id)
    return None if choice is None or choice.number is None else get_set(session, model_id, choice.number)


def chosen_at(session: Session, model_id: str, *, lock: bool = False) -> datetime | None:
    """When the choice was last changed. With `lock`, nobody else can change it until the transaction ends."""
    if lock:
        _lock(session, model_id)
    return session.scalar(select(RetainChoice.changed_at).where(RetainChoice.model_id == model_id))


def choose(session: Session, model_id: str, number: int | None, actor: str) -> None:
    """Use set `number` from the next refit on, or with None the reference people alone."""
    _lock(session, model_id)
    values: dict[str, Any] = {"number": number, "changed_by": actor, "changed_at": utc_now()}
    session.execute(
        insert(RetainChoice)
        .values(model_id=model_id, **values)
        .on_conflict_do_update(index_elements=["model_id"], set_=values)
    )


def awaits_refit(session: Session, model_id: str) -> bool:
    """Whether the newest version was made with another retain set than the chosen one."""
    manifest = session.scalar(
        select(EraserVersion.manifest)
        .where(EraserVersion.model_id == model_id)
        .order_by(EraserVersion.number.desc())
        .limit(1)
    )
    active = active_set(session, model_id)
    return manifest is not None and digest_of(manifest) != (active.digest if active else None)


def digest_of(manifest: dict[str, Any]) -> str | None:
    """The digest of the retain set that a version was made with, by its manifest."""
    return (manifest.get("retain_set") or {}).get("digest")


def _lock(session: Session, model_id: str) -> None:
    """Keep others from choosing. An advisory lock, because there may be no row yet that could be locked."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"retain/{model_id}", 0))))
