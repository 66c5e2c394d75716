"""The pulse of what has to happen again and again: when each last went well. Whoever does it writes its own row."""

import logging
import time
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.operations import Pulse
from shared.db.session import transaction
from shared.errors import LacunaError

logger = logging.getLogger(__name__)
EVERY_S = 10.0


def record_heartbeat(session: Session, names: Sequence[str]) -> None:
    """Say that all of `names` went well just now."""
    made = insert(Pulse).values([{"name": name, "at": utc_now()} for name in sorted(names)])
    session.execute(made.on_conflict_do_update(index_elements=["name"], set_={"at": made.excluded.at}))


def pulses(session: Session) -> dict[str, datetime]:
    """When each last went well."""
    return {one.name: one.at for one in session.scalars(select(Pulse))}


class HeartbeatWriter:
    """Writes the pulse of a process, at most every `every_s`; an outage of the database is no error of its work."""

    def __init__(self, database: Engine, name: str, every_s: float = EVERY_S) -> None:
        self._database, self._name, self._every_s = database, name, every_s
        self._last = float("-inf")

    def __call__(self) -> None:
        """It went well just now."""
        if time.monotonic() - self._last < self._every_s:
            return
        self._last = time.monotonic()
        try:
            with transaction(self._database) as session:
                record_heartbeat(session, [self._name])
        except LacunaError as exc:
            logger.warning("the pulse of %s is not written: %s", self._name, exc.detail)
