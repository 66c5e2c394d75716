"""The version that is served: replaced as a whole, read once by each request. Fails closed.

Without a version, with one that does not cover somebody who must stay forgotten, or when the database has been
unreachable for longer than the grace, `current` raises NotReady. Knows no HTTP, no database, no store.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from shared.erasure.eraser import Eraser
from shared.errors import NotReady


@dataclass(frozen=True)
class Served:
    """One version in memory; `generation` counts the changes of the desired state."""

    eraser: Eraser
    number: int
    sha256: str
    generation: int

    @property
    def fingerprint(self) -> str:
        """`lacuna-<number>-<first 8 of the sha256>`."""
        return f"lacuna-{self.number}-{self.sha256[:8]}"


class ActiveEraser:
    """Holds the served version; every request begins with `current()`. Safe to share between threads."""

    def __init__(self, grace_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.grace_s, self._clock = grace_s, clock
        self._lock = threading.Lock()
        self._served: Served | None = None
        self._reason = "No eraser version has been promoted yet."
        self._confirmed = clock()

    def current(self) -> Served:
        """The version to answer with; raises NotReady, with the reason, where none can be trusted."""
        with self._lock:
            if self._served is None:
                raise NotReady(self._reason)
            if self._clock() - self._confirmed > self.grace_s:
                raise NotReady("The database has been unreachable for too long to know who must stay forgotten.")
            return self._served

    def current_or_none(self) -> Served | None:
        """The version in memory, whether or not it can be trusted now."""
        with self._lock:
            return self._served

    def serve(self, served: Served) -> None:
        """Answer with `served` from now on; requests under way keep the version they began with."""
        with self._lock:
            self._served, self._confirmed = served, self._clock()

    def confirm(self) -> None:
        """The database has just said that the version in memory covers everybody; the grace begins anew."""
        with self._lock:
            self._confirmed = self._clock()

    def close(self, reason: str) -> None:
        """Drop the version and answer no request; `reason` is what clients read."""
        with self._lock:
            self._served, self._reason = None, reason
