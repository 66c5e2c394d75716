"""Heartbeats: when each recurring job and each process last did its work. Each one writes its own row."""

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.operations import Heartbeat
from shared.db.session import transaction
from shared.errors import LacunaError

logger = logging.getLogger(__name__)
EVERY_S: Final = 10.0


def record_heartbeat(session: Session, names: Sequence[str]) -> None:
    """Record that all of `names` did their work just now."""
    statement = insert(Heartbeat).values([{"name": name, "at": utc_now()} for name in sorted(names)])
    session.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"at": statement.excluded.at}))


def last_heartbeats(session: Session) -> dict[str, datetime]:
    """When each name last did its work."""
    return {heartbeat.name: heartbeat.at for heartbeat in session.scalars(select(Heartbeat))}


class HeartbeatWriter:
    """Called by a process as often as it likes, writes the process's heartbeat every `every_s` seconds at most.

    A database that is away is logged and raises nothing: it is no error of the process's own work.
    """

    def __init__(self, database: Engine, name: str, every_s: float = EVERY_S) -> None:
        self._database, self._name, self._every_s = database, name, every_s
        self._last = float("-inf")

    def __call__(self) -> None:
        """Record a heartbeat, unless the last one is too recent."""
        if time.monotonic() - self._last < self._every_s:
            return
        self._last = time.monotonic()
        try:
            with transaction(self._database) as session:
                record_heartbeat(session, [self._name])
        except LacunaError as exc:
            logger.warning("the heartbeat of %s could not be written: %s", self._name, exc.detail)
