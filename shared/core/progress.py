"""How far a refit or an audit is: its stage, how much of it is done, and the seconds of each stage. No database."""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

logger = logging.getLogger(__name__)
WRITE_EVERY_S: Final = 1.0
LOG_EVERY_S: Final = 5.0
Counter = Callable[[int], None]  # is told how many more are done


def uncounted(_: int) -> None:
    """The counter of what nobody watches."""


class Progress:
    """The progress of one run. `write` stores it for whoever watches: at every stage and about once a second.

    `name`: the run as log lines call it, such as "refit 0b51f2aa".
    """

    def __init__(self, name: str, write: Callable[["Progress"], None]) -> None:
        self.stage = "claimed"
        self.counts: dict[str, Any] | None = None
        self._name, self._write = name, write
        self._since = self._written = self._logged = time.monotonic()
        self._seconds: dict[str, float] = {}

    def enter(self, stage: str) -> None:
        """Leave the current stage for `stage`."""
        self._seconds = self.seconds()
        self.stage, self.counts, self._since = stage, None, time.monotonic()
        logger.info("%s: %s", self._name, stage)
        self._write(self)

    def count(self, done: int, total: int, unit: str) -> None:
        """`done` of `total` `unit` (say "tickets") of this stage are done."""
        self.counts = {"done": done, "total": total, "what": unit}
        now = time.monotonic()
        if done >= total or now - self._logged >= LOG_EVERY_S:
            logger.info("%s: %s, %d of %d %s", self._name, self.stage, done, total, unit)
            self._logged = now
        if now - self._written >= WRITE_EVERY_S:
            self._written = now
            self._write(self)

    def counter(self, total: int, unit: str) -> Counter:
        """A function that counts `total` `unit` of this stage, from none on: it is told how many more are done."""
        done = 0

        def more(number: int) -> None:
            nonlocal done
            done += number
            self.count(done, total, unit)

        if total:
            more(0)
        return more

    def seconds(self) -> dict[str, float]:
        """Stage -> seconds so far."""
        spent = dict(self._seconds)
        spent[self.stage] = round(spent.get(self.stage, 0.0) + time.monotonic() - self._since, 3)
        return spent
