"""Background job: wrap all data keys anew, in batches.

Each batch is one transaction that also records how far the job is, so that it goes on where it was after a crash or
while Vault cannot be reached. It passes over everything again until a pass finds nothing to do, because processes that
were not restarted yet still wrap under the old key. A key is replaced only where it is still the one that was read: a
key that is destroyed meanwhile stays destroyed. Copies in backups are out of reach: the old key opens them for as long
as somebody has it.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Engine, Uuid, func, inspect, select, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.request.key_rotation.responses import key_rotation_response
from shared.core.clock import utc_now
from shared.crypto.keyring import KeyRing
from shared.db.models.drop_lists import DropList
from shared.db.models.erasers import EraserVersion
from shared.db.models.imports import ImportJob
from shared.db.models.intake import FormRequest, TicketContact
from shared.db.models.letters import Letter
from shared.db.models.operations import KeyRotation
from shared.db.models.refits import StoredTicketFit
from shared.db.models.retain_sets import RetainSet
from shared.db.models.tickets import Ticket
from shared.db.models.webhooks import Webhook
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.domain.accounts import SYSTEM_ACTOR
from shared.errors import IntegrityFailure, NeedsResubmission
from shared.storage.base import ObjectStore
from shared.storage.object_keys import STATISTICS

logger = logging.getLogger(__name__)
BATCH: Final = 100
MAX_PASSES: Final = 5  # then the job ends, and reports which wrapping keys are still in use
WRAPPED_KEY_COLUMNS: Final[tuple[InstrumentedAttribute[Any], ...]] = (
    Ticket.payload_wrapped_key,
    Ticket.kit_wrapped_key,
    StoredTicketFit.wrapped_key,
    RetainSet.wrapped_key,
    EraserVersion.wrapped_key,
    Webhook.secret_key,
    Webhook.old_secret_key,
    ImportJob.wrapped_key,
    Letter.wrapped_key,
    DropList.wrapped_key,
    TicketContact.wrapped_key,
    FormRequest.wrapped_key,
)


@dataclass(frozen=True)
class RewrapJob:
    """Works at the key rotations that are ordered."""

    database: Engine
    store: ObjectStore
    keys: KeyRing

    def run(self) -> None:
        """Work until nothing is left to do. Vault needs some time for each key."""
        while self.run_once():
            pass

    def run_once(self) -> bool:
        """Wrap one batch; return whether there was anything to do.

        Raises KeysUnavailable or StoreUnavailable; nothing is lost then.
        """
        with transaction(self.database) as session:
            unfinished = select(KeyRotation).where(KeyRotation.finished_at.is_(None))
            rotation = session.scalar(unfinished.with_for_update(skip_locked=True).limit(1))
            if rotation is None:
                return False
            newest = self.keys.current_wrapping_key()
            if rotation.target != newest:  # the first batch, or the wrapping key was rotated again meanwhile
                rotation.target = newest
                self._begin_pass(session, rotation)
            if rotation.place < len(WRAPPED_KEY_COLUMNS):
                self._rewrap_rows(session, rotation, WRAPPED_KEY_COLUMNS[rotation.place])
            else:
                self._rewrap_objects(rotation)
                self._end_pass(session, rotation)
            return True

    def _begin_pass(self, session: Session, rotation: KeyRotation) -> None:
        rotation.place, rotation.after, rotation.done = 0, None, 0
        rotation.seen, rotation.unreadable, rotation.changed = {}, [], 0
        rotation.total = sum(session.scalar(select(func.count(column))) or 0 for column in WRAPPED_KEY_COLUMNS)

    def _rewrap_rows(self, session: Session, rotation: KeyRotation, column: InstrumentedAttribute[Any]) -> None:
        """One batch of the rows of `column`, in the order of their primary key."""
        table = column.class_
        key_columns = inspect(table).primary_key
        query = select(*key_columns, column).where(column.is_not(None)).order_by(*key_columns).limit(BATCH)
        if rotation.after is not None:
            query = query.where(tuple_(*key_columns) > tuple_(*_from_json(key_columns, rotation.after)))
        rows = session.execute(query).all()
        for *primary_key, wrapped in rows:
            name = f"{table.__tablename__}/{'/'.join(map(str, primary_key))}"
            rewrapped = self._rewrap(rotation, bytes(wrapped), name)
            if rewrapped is not None:
                same_row = [own == value for own, value in zip(key_columns, primary_key, strict=True)]
                session.execute(update(table).where(*same_row, column == wrapped).values({column.key: rewrapped}))
        rotation.done += len(rows)
        if len(rows) < BATCH:
            rotation.place, rotation.after = rotation.place + 1, None
        else:
            rotation.after = [str(value) if isinstance(value, uuid.UUID) else value for value in rows[-1][:-1]]

    def _rewrap_objects(self, rotation: KeyRotation) -> None:
        """The keys of the base statistics, which are stored beside the objects that they open."""
        for key in self.store.list(STATISTICS):
            if key.endswith(".key"):
                rewrapped = self._rewrap(rotation, self.store.get(key), key)
                if rewrapped is not None:
                    self.store.put(key, rewrapped)

    def _rewrap(self, rotation: KeyRotation, wrapped: bytes, name: str) -> bytes | None:
        """The data key `name` under the newest wrapping key; None where it is already, or where it cannot be opened.

        Keys that cannot be opened are listed in the rotation.
        """
        try:
            wrapping_key = self.keys.wrapping_key_name(wrapped)
            rotation.seen = rotation.seen | {wrapping_key: rotation.seen.get(wrapping_key, 0) + 1}
            if wrapping_key == rotation.target:
                return None
            rewrapped = self.keys.rewrap(wrapped)
        except (IntegrityFailure, NeedsResubmission):
            rotation.unreadable = [*rotation.unreadable, name]
            return None
        rotation.changed += 1
        rotation.rewrapped += 1
        return rewrapped

    def _end_pass(self, session: Session, rotation: KeyRotation) -> None:
        """Begin another pass, or finish with a leaf in the log where this one changed nothing."""
        rotation.passes += 1
        rotation.before = rotation.before or rotation.seen
        if rotation.changed and rotation.passes < MAX_PASSES:
            self._begin_pass(session, rotation)
            return
        rotation.finished_at = utc_now()
        answer = key_rotation_response(rotation)
        detail = {
            "key": answer.key,
            "rewrapped": answer.rewrapped,
            "passes": answer.passes,
            "in_use": answer.in_use,
            "no_longer_used": answer.no_longer_used,
            "unreadable": len(rotation.unreadable),
        }
        audit_log.append_leaf(session, SYSTEM_ACTOR, "keys.rewrapped", str(rotation.id), detail)
        logger.info("%d data keys are wrapped anew under %s", rotation.rewrapped, rotation.target)


def _from_json(key_columns: Sequence[Column[Any]], values: Sequence[Any]) -> list[Any]:
    """A primary key as the order keeps it, with its UUIDs as such."""
    return [
        uuid.UUID(value) if isinstance(column.type, Uuid) else value
        for column, value in zip(key_columns, values, strict=True)
    ]
