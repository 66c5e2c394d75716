"""The version that is served: replaced as a whole, read once by each request. Fails closed.

Without a version, with one that does not cover somebody who must stay forgotten, or when nobody has confirmed it for
longer than the grace, `current` raises NotReady. A replica's grace is at most its lease, so that it does not answer
when tickets no longer wait for it (ADR 35). Knows no HTTP, no database, no store.
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
        self._confirmed = float("-inf")

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

    def now(self) -> float:
        """The time by the clock of the grace, for `confirm`."""
        return self._clock()

    def serve(self, served: Served) -> None:
        """Answer with `served` from now on, as long as it is confirmed; requests under way keep their version."""
        with self._lock:
            self._served = served

    def confirm(self, since: float | None = None) -> None:
        """The database has said, at `since` or later, that the version in memory covers everybody, and knows the lease.

        The grace begins anew at `since`; now where it is None.
        """
        with self._lock:
            self._confirmed = max(self._confirmed, self._clock() if since is None else since)

    def close(self, reason: str) -> None:
        """Drop the version and answer no request; `reason` is what clients read."""
        with self._lock:
            self._served, self._reason = None, reason
