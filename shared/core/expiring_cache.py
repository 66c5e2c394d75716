"""A cache of bounded size whose entries live for a fixed time."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass
class ExpiringCache(Generic[Value]):
    """At most `most_entries` values by key, each for at most `lifetime_s` seconds from the moment its look-up began.

    The time counts from before the look-up, so that a change in the source is seen after `lifetime_s` at the latest,
    however long the look-up took. A full cache drops its oldest entry. Threads may share a cache; two that miss the
    same key at once both look it up.
    """

    lifetime_s: float
    most_entries: int
    now: Callable[[], float] = time.monotonic
    _entries: dict[str, tuple[Value, float]] = field(default_factory=dict)  # with the end of its life; oldest first
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get_or_load(self, key: str, load: Callable[[], Value]) -> Value:
        """The value of `key`, from `load` where it is not in the cache. What `load` raises is passed on, not kept."""
        began = self.now()
        with self._lock:
            entries = self._entries
            entry = entries.get(key)
        if entry is not None and began < entry[1]:
            return entry[0]
        value = load()
        with self._lock:
            if entries is self._entries:  # a value that was looked up before `clear` is not kept after it
                entries.pop(key, None)
                while len(entries) >= self.most_entries:
                    del entries[next(iter(entries))]
                entries[key] = (value, began + self.lifetime_s)
        return value

    def get(self, key: str) -> Value | None:
        """The value of `key`, where it is in the cache."""
        with self._lock:
            entry = self._entries.get(key)
        return entry[0] if entry is not None and self.now() < entry[1] else None

    def clear(self) -> None:
        """Forget every entry."""
        with self._lock:
            self._entries = {}

    def __len__(self) -> int:
        """The number of entries, those whose time is over included."""
        return len(self._entries)
