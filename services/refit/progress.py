"""How far a refit is: its stage, how much of it is done, and the seconds that each stage took. Knows no database."""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

logger = logging.getLogger(__name__)
WRITE_EVERY_S: Final = 1.0
LOG_EVERY_S: Final = 5.0


class Report:
    """What a run says of itself. `write` puts it where people look, at every stage and about once a second."""

    def __init__(self, name: str, write: Callable[["Report"], None]) -> None:
        self.stage = "claimed"
        self.progress: dict[str, Any] | None = None
        self._name, self._write = name, write
        self._since = self._written = self._logged = time.monotonic()
        self._seconds: dict[str, float] = {}

    def enter(self, stage: str) -> None:
        """Leave the current stage for `stage`."""
        self._seconds = self.seconds()
        self.stage, self.progress, self._since = stage, None, time.monotonic()
        logger.info("refit %s: %s", self._name, stage)
        self._write(self)

    def count(self, done: int, total: int, what: str) -> None:
        """`done` of `total` `what` of this stage are done."""
        self.progress = {"done": done, "total": total, "what": what}
        now = time.monotonic()
        if done >= total or now - self._logged >= LOG_EVERY_S:
            logger.info("refit %s: %s, %d of %d %s", self._name, self.stage, done, total, what)
            self._logged = now
        if now - self._written >= WRITE_EVERY_S:
            self._written = now
            self._write(self)

    def seconds(self) -> dict[str, float]:
        """Stage -> seconds so far."""
        spent = dict(self._seconds)
        spent[self.stage] = round(spent.get(self.stage, 0.0) + time.monotonic() - self._since, 3)
        return spent
