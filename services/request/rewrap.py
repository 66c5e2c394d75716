"""Wraps every data key anew under the newest wrapping key, after a rotation or a move to Vault. Touches no payload.

An order is a row; the clerk works at it in batches, each one transaction with its place, so that it goes on where it
was after a crash or while Vault is away. It passes over everything again until a pass finds nothing to do: processes
that were not restarted yet still wrap under the old key. Each change is made only where the wrapped key is still the
one that was read: a key that is destroyed meanwhile stays destroyed. What it cannot reach: copies in backups, which the
old key opens for as long as somebody has it.
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, Uuid, func, inspect, select, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.request.actor import Actor
from shared.clock import utc_now
from shared.contracts import STATISTICS
from shared.crypto import KeyRing
from shared.db import repository as rows
from shared.db.models import EraserVersion, FitRows, ImportJob, RetainSet, Rewrap, Ticket, Webhook
from shared.db.session import transaction
from shared.errors import Conflict, IntegrityFailure, NotFound
from shared.store.base import Store

logger = logging.getLogger(__name__)
ACTOR: Final = "clerk"
BATCH: Final = 100
PASSES: Final = 5  # after which it ends, and says what is still wrapped by others
PLACES: Final[tuple[InstrumentedAttribute[Any], ...]] = (
    Ticket.payload_wrapped_key,
    Ticket.kit_wrapped_key,
    FitRows.wrapped_key,
    RetainSet.wrapped_key,
    EraserVersion.wrapped_key,
    Webhook.secret_key,
    Webhook.old_secret_key,
    ImportJob.wrapped_key,
)


def order(session: Session, who: Actor) -> Rewrap:
    """Order it; raises Conflict while another one is under way."""
    if session.scalar(select(Rewrap.id).where(Rewrap.finished_at.is_(None))) is not None:
        raise Conflict("A rewrap is under way: let it end.")
    made = Rewrap(
        id=uuid.uuid4(), asked_by=who.owner, asked_at=utc_now(), place=0, passes=0, done=0, total=0, rewrapped=0
    )
    made.seen, made.before, made.unreadable = {}, {}, []
    session.add(made)
    session.flush()
    rows.log(session, who.owner, "keys.rewrap_ordered", str(made.id), {})
    return made


def get(session: Session, rewrap_id: uuid.UUID) -> Rewrap:
    """Raises NotFound."""
    found = session.get(Rewrap, rewrap_id)
    if found is None:
        raise NotFound("There is no such rewrap.")
    return found


@dataclass(frozen=True)
class Rewrapper:
    """The clerk's part."""

    database: Engine
    store: Store
    keys: KeyRing

    def turn(self) -> bool:
        """One batch; whether there was anything to do. Raises KeysUnavailable or StoreUnavailable: nothing is lost."""
        with transaction(self.database) as session:
            waiting = select(Rewrap).where(Rewrap.finished_at.is_(None)).with_for_update(skip_locked=True).limit(1)
            job = session.scalar(waiting)
            if job is None:
                return False
            newest = self.keys.newest()
            if job.target != newest:  # the first turn, or rotated again meanwhile
                job.target = newest
                self._begin(session, job)
            if job.place < len(PLACES):
                self._batch(session, job, PLACES[job.place])
            else:
                self._objects(job)
                self._passed(session, job)
            return True

    def _begin(self, session: Session, job: Rewrap) -> None:
        job.place, job.after, job.done, job.seen, job.unreadable, job.changed = 0, None, 0, {}, [], 0
        job.total = sum(session.scalar(select(func.count(place))) or 0 for place in PLACES)

    def _batch(self, session: Session, job: Rewrap, column: InstrumentedAttribute[Any]) -> None:
        table = column.class_
        own = inspect(table).primary_key
        asked = select(*own, column).where(column.is_not(None)).order_by(*own).limit(BATCH)
        if job.after is not None:
            asked = asked.where(tuple_(*own) > tuple_(*_values(own, job.after)))
        found = session.execute(asked).all()
        for *place, wrapped in found:
            anew = self._anew(job, bytes(wrapped), f"{table.__tablename__}/{'/'.join(map(str, place))}")
            if anew is not None:
                still = [one == value for one, value in zip(own, place, strict=True)]
                session.execute(update(table).where(*still, column == wrapped).values({column.key: anew}))
        job.done += len(found)
        if len(found) < BATCH:
            job.place, job.after = job.place + 1, None
        else:
            job.after = [str(value) if isinstance(value, uuid.UUID) else value for value in found[-1][:-1]]

    def _objects(self, job: Rewrap) -> None:
        """The keys of the base statistics, which lie in the object store beside what they open."""
        for key in self.store.list(STATISTICS):
            if key.endswith(".key") and (anew := self._anew(job, self.store.get(key), key)) is not None:
                self.store.put(key, anew)

    def _anew(self, job: Rewrap, wrapped: bytes, what: str) -> bytes | None:
        """The key under the newest wrapping key; None where it is already, or cannot be opened (which is counted)."""
        try:
            name = self.keys.name_of(wrapped)
            job.seen = job.seen | {name: job.seen.get(name, 0) + 1}
            if name == job.target:
                return None
            anew = self.keys.rewrap(wrapped)
        except IntegrityFailure:
            job.unreadable = [*job.unreadable, what]
            return None
        job.changed += 1
        job.rewrapped += 1
        return anew

    def _passed(self, session: Session, job: Rewrap) -> None:
        job.passes += 1
        job.before = job.before or job.seen
        if job.changed and job.passes < PASSES:
            self._begin(session, job)
            return
        job.finished_at = utc_now()
        told = view(job)
        detail = {name: told[name] for name in ("key", "rewrapped", "passes", "in_use", "no_longer_used")}
        rows.log(session, ACTOR, "keys.rewrapped", str(job.id), detail | {"unreadable": len(job.unreadable)})
        logger.info("%d data keys are wrapped anew under %s", job.rewrapped, job.target)


def view(job: Rewrap) -> dict[str, Any]:
    """As it is shown. `in_use` and `no_longer_used` are known at the end."""
    ended = job.finished_at is not None
    in_use: Mapping[str, int] = job.seen
    return {
        "id": str(job.id),
        "state": "finished" if ended else "running" if job.target else "waiting",
        "asked_by": job.asked_by,
        "asked_at": job.asked_at,
        "finished_at": job.finished_at,
        "key": job.target,
        "passes": job.passes,
        "done": job.done,
        "total": job.total,
        "rewrapped": job.rewrapped,
        "before": job.before or job.seen,
        "in_use": dict(in_use) if ended else None,
        "no_longer_used": sorted(set(job.before) - set(in_use)) if ended else None,
        "unreadable": job.unreadable[:100],
    }


def _values(own: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    return [uuid.UUID(value) if isinstance(one.type, Uuid) else value for one, value in zip(own, after, strict=True)]
