"""Rewrap in batches."""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, Uuid, func, inspect, select, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.request.key_rotation.service import view
from shared.core.clock import utc_now
from shared.crypto.keyring import KeyRing
from shared.db.models.erasers import EraserVersion
from shared.db.models.imports import ImportJob
from shared.db.models.operations import KeyRotation
from shared.db.models.refits import StoredTicketFit
from shared.db.models.retain_sets import RetainSet
from shared.db.models.tickets import Ticket
from shared.db.models.webhooks import Webhook
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.domain.accounts import SYSTEM_ACTOR
from shared.errors import IntegrityFailure
from shared.storage.base import ObjectStore
from shared.storage.object_keys import STATISTICS

logger = logging.getLogger(__name__)
BATCH: Final = 100
PASSES: Final = 5  # after which it ends, and says what is still wrapped by others
WRAPPED_KEY_COLUMNS: Final[tuple[InstrumentedAttribute[Any], ...]] = (
    Ticket.payload_wrapped_key,
    Ticket.kit_wrapped_key,
    StoredTicketFit.wrapped_key,
    RetainSet.wrapped_key,
    EraserVersion.wrapped_key,
    Webhook.secret_key,
    Webhook.old_secret_key,
    ImportJob.wrapped_key,
)


@dataclass(frozen=True)
class RewrapJob:
    """The clerk's part."""

    database: Engine
    store: ObjectStore
    keys: KeyRing

    def run(self) -> None:
        """Everything that waits; wrapping by Vault takes its time."""
        while self.turn():
            pass

    def turn(self) -> bool:
        """One batch; whether there was anything to do. Raises KeysUnavailable or StoreUnavailable: nothing is lost."""
        with transaction(self.database) as session:
            waiting = (
                select(KeyRotation).where(KeyRotation.finished_at.is_(None)).with_for_update(skip_locked=True).limit(1)
            )
            job = session.scalar(waiting)
            if job is None:
                return False
            newest = self.keys.current_wrapping_key()
            if job.target != newest:  # the first turn, or rotated again meanwhile
                job.target = newest
                self._begin(session, job)
            if job.place < len(WRAPPED_KEY_COLUMNS):
                self._batch(session, job, WRAPPED_KEY_COLUMNS[job.place])
            else:
                self._objects(job)
                self._passed(session, job)
            return True

    def _begin(self, session: Session, job: KeyRotation) -> None:
        job.place, job.after, job.done, job.seen, job.unreadable, job.changed = 0, None, 0, {}, [], 0
        job.total = sum(session.scalar(select(func.count(place))) or 0 for place in WRAPPED_KEY_COLUMNS)

    def _batch(self, session: Session, job: KeyRotation, column: InstrumentedAttribute[Any]) -> None:
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

    def _objects(self, job: KeyRotation) -> None:
        """The keys of the base statistics, which lie in the object store beside what they open."""
        for key in self.store.list(STATISTICS):
            if key.endswith(".key") and (anew := self._anew(job, self.store.get(key), key)) is not None:
                self.store.put(key, anew)

    def _anew(self, job: KeyRotation, wrapped: bytes, what: str) -> bytes | None:
        """The key under the newest wrapping key; None where it is already, or cannot be opened (which is counted)."""
        try:
            name = self.keys.wrapping_key_name(wrapped)
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

    def _passed(self, session: Session, job: KeyRotation) -> None:
        job.passes += 1
        job.before = job.before or job.seen
        if job.changed and job.passes < PASSES:
            self._begin(session, job)
            return
        job.finished_at = utc_now()
        told = view(job)
        detail = {name: told[name] for name in ("key", "rewrapped", "passes", "in_use", "no_longer_used")}
        audit_log.append_leaf(
            session, SYSTEM_ACTOR, "keys.rewrapped", str(job.id), detail | {"unreadable": len(job.unreadable)}
        )
        logger.info("%d data keys are wrapped anew under %s", job.rewrapped, job.target)


def _values(own: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    return [uuid.UUID(value) if isinstance(one.type, Uuid) else value for one, value in zip(own, after, strict=True)]
