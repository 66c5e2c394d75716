"""The eraser that is served, and nothing else: swapped as a whole, read once by each request. Fails closed.

Where there is no eraser, or it does not cover somebody who must stay forgotten, or the database has been away for
longer than the grace, asking raises NotReady. Knows no HTTP, no database, no store.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from shared.erasure.eraser import Eraser
from shared.errors import NotReady


@dataclass(frozen=True)
class Served:
    """One version in memory."""

    eraser: "Eraser"
    number: int
    sha256: str
    generation: int

    @property
    def fingerprint(self) -> str:
        """`lacuna-<number>-<first 8 of the sha256>`."""
        return f"lacuna-{self.number}-{self.sha256[:8]}"


class ActiveEraser:
    """Holds the served version; every answer begins with `current()`."""

    def __init__(self, grace_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.grace_s, self._clock = grace_s, clock
        self._lock = threading.Lock()
        self._served: Served | None = None
        self._reason = "No eraser version has been promoted yet."
        self._confirmed = clock()

    def current(self) -> Served:
        """The version to answer with; raises NotReady, with the reason, where there is none to trust."""
        with self._lock:
            if self._served is None:
                raise NotReady(self._reason)
            if self._clock() - self._confirmed > self.grace_s:
                raise NotReady("The database has been away for too long to know who must stay forgotten.")
            return self._served

    def current_or_none(self) -> Served | None:
        """What is in memory, trusted or not."""
        with self._lock:
            return self._served

    def serve(self, served: Served) -> None:
        """Answer with `served` from now on; requests under way keep what they have."""
        with self._lock:
            self._served, self._confirmed = served, self._clock()

    def confirm(self) -> None:
        """The database still says that what is in memory covers everybody."""
        with self._lock:
            self._confirmed = self._clock()

    def close(self, reason: str) -> None:
        """Answer nobody, and say why."""
        with self._lock:
            self._served, self._reason = None, reason
