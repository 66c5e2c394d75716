"""Background job: give what was sealed before there were shredding keys a shredding key each.

The wrapped key in the row is wrapped once more; the sealed object stays as it is. Each batch is one transaction, and a
key is replaced only where it is still the one that was read. A crash leaves shredding keys that nothing needs, and the
job goes on. Copies of the earlier wrapped keys in the write-ahead log and in backups stay what they were, until those
expire.
"""

import logging
import time
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, inspect, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.request.context import AppContext
from shared.db.models.refits import StoredTicketFit
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.domain.accounts import SYSTEM_ACTOR

logger = logging.getLogger(__name__)
BATCH: Final = 100
LOOK_EVERY_S: Final = 600.0  # a process of the version before may still seal without shredding keys
COLUMNS: Final[tuple[InstrumentedAttribute[Any], ...]] = (
    Ticket.payload_wrapped_key,
    Ticket.kit_wrapped_key,
    StoredTicketFit.wrapped_key,
)


@dataclass
class ExistingKeysJob:
    """Counts what it did, and says so in the log when nothing is left to do."""

    context: AppContext
    done: int = 0
    _next_at: float = 0.0

    def run(self) -> None:
        """Work until nothing is left to do. Raises KeysUnavailable; nothing is lost then."""
        if time.monotonic() < self._next_at:
            return
        while self.run_once():
            pass
        self._next_at = time.monotonic() + LOOK_EVERY_S

    def run_once(self) -> bool:
        """One batch; returns whether there was anything to do."""
        with transaction(self.context.database) as session:
            for column in COLUMNS:
                if changed := self._make_shreddable(session, column):
                    self.done += changed
                    return True
            if self.done:
                detail = {"keys": self.done}
                audit_log.append_leaf(session, SYSTEM_ACTOR, "keys.made_shreddable", self.context.model_id, detail)
                logger.info("%d objects that were sealed before have shredding keys now", self.done)
                self.done = 0
        return False

    def _make_shreddable(self, session: Session, column: InstrumentedAttribute[Any]) -> int:
        """One batch of the rows of `column`; how many were changed."""
        table = column.class_
        key_columns = inspect(table).primary_key
        query = select(*key_columns, column).where(column.is_not(None), func.shredding_key(column).is_(None))
        changed = 0
        for *primary_key, wrapped in session.execute(query.limit(BATCH)).all():
            shreddable = self.context.keys.make_shreddable(bytes(wrapped))
            if shreddable == wrapped:  # there is no store of shredding keys
                return changed
            same_row = [own == value for own, value in zip(key_columns, primary_key, strict=True)]
            session.execute(update(table).where(*same_row, column == wrapped).values({column.key: shreddable}))
            changed += 1
        return changed
