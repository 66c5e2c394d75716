"""Background job: have the S3 server drop deleted objects from its files, where it is told how.

Without their keys these bytes open nothing. Many S3 servers free them by themselves, sooner or later; the private one
of a local stack does not, and LACUNA_S3_COMPACT is the command for it. A server may mark an object's bytes as deleted
some time after it has confirmed the deletion (SeaweedFS: about a second), so the command waits until they are.
"""

import logging
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine, func, select

from shared.db.models.tickets import Disposal, RetiredKey
from shared.db.session import transaction
from shared.errors import StoreUnavailable

logger = logging.getLogger(__name__)
AT_MOST_EVERY_S: Final = 60.0
SETTLED_S: Final = 15.0  # after a destruction
PATIENCE_S: Final = 600.0


@dataclass
class Compactor:
    """Runs `command` once after the start and then `settled_s` seconds after objects were destroyed, at most once in
    `at_most_every_s` seconds; nothing where there is no command."""

    database: Engine
    command: str
    settled_s: float = SETTLED_S
    at_most_every_s: float = AT_MOST_EVERY_S
    _seen: datetime | None = None
    _done_at: float | None = None

    def run(self) -> float | None:
        """Compact where something was destroyed since the last time; after how many seconds to look again.

        Raises StoreUnavailable where the command fails; it is run again then.
        """
        if not self.command:
            return None
        if self._done_at is not None and (early_s := self._done_at + self.at_most_every_s - time.monotonic()) > 0:
            return early_s
        with transaction(self.database) as session:
            now: datetime = session.scalars(select(func.clock_timestamp())).one()
            settled = now - timedelta(seconds=self.settled_s)
            columns = (RetiredKey.destroyed_at, Disposal.removed_at)
            due = [session.scalar(select(func.max(column)).where(column <= settled)) for column in columns]
            fresh = [session.scalar(select(func.min(column)).where(column > settled)) for column in columns]
        newest = max((at for at in due if at is not None), default=None)
        if newest is None or newest == self._seen:
            return min(((at - settled).total_seconds() for at in fresh if at is not None), default=None)
        self._done_at = time.monotonic()
        try:
            subprocess.run(["/bin/sh", "-c", self.command], check=True, capture_output=True, timeout=PATIENCE_S)
        except (subprocess.SubprocessError, OSError) as exc:
            raise StoreUnavailable(f"LACUNA_S3_COMPACT failed ({type(exc).__name__}).") from exc
        self._seen = newest
        logger.info("the object store dropped deleted objects from its files")
        return self.at_most_every_s if any(fresh) else None
