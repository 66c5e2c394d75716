"""Whether the engine gets on with its work: what a readiness check asks. Safe to share between threads."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Progress:
    """Counts the calls under way and remembers when the model last finished a step (one forward pass)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way = 0
        self._moved = clock()  # the last finished step, or the begin of work after a rest if that is later

    def begin(self) -> None:
        """A call has come in; `end` must follow, from any thread."""
        with self._lock:
            if self._under_way == 0:
                self._moved = self._clock()
            self._under_way += 1

    def end(self) -> None:
        """A call has been answered, has failed, or was given up."""
        with self._lock:
            self._under_way -= 1

    @contextmanager
    def working(self) -> Iterator[None]:
        """`begin` and `end` around a block."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Between `begin` and `end`: the call waits for something other than the model."""
        self.end()
        try:
            yield
        finally:
            self.begin()

    def step(self) -> None:
        """A forward pass has finished."""
        with self._lock:
            self._moved = self._clock()

    def stalled_s(self) -> float:
        """Seconds since the last finished step, or since work came in if that is later; 0 without work."""
        with self._lock:
            return self._clock() - self._moved if self._under_way else 0.0
