"""How much of a replica one key may take: requests in a window of time, and requests under way at once.

Both are counted in the process, and by the key's sha256. Of n replicas a key may take n times as much.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from shared.errors import TooManyRequests

REQUESTS: Final = "6000/minute"
AT_ONCE: Final = 256  # a quarter of what a replica has under way (shared/core/admission.py)
RETRY_AFTER_S: Final = 1


class ClientLimits:
    """`requests`: of one key, as `6000/minute`; `at_once`: of one key under way. Only the event loop calls it."""

    def __init__(self, requests: str = REQUESTS, at_once: int = AT_ONCE) -> None:
        self._limit: RateLimitItem = parse(requests)
        self._at_once = at_once
        self._counter = FixedWindowRateLimiter(MemoryStorage())
        self._under_way: Counter[str] = Counter()

    def admit(self, client: str) -> Mapping[str, str]:
        """Count one request that begins, and return its headers, as OpenAI's API names them.

        Raises TooManyRequests, with the seconds to wait, where the key has sent too many or has too many under way.
        """
        if self._under_way[client] >= self._at_once:
            raise TooManyRequests(
                f"This key has {self._at_once} requests under way, and may have no more: wait for an answer.",
                retry_after_s=RETRY_AFTER_S,
            )
        accepted = self._counter.hit(self._limit, client)
        window = self._counter.get_window_stats(self._limit, client)
        window_s = self._limit.get_expiry()
        reset_s = max(1, min(int(window.reset_time - time.time()) + 1, window_s))
        if not accepted:
            raise TooManyRequests(
                f"This key may send {self._limit.amount} requests in {window_s} s: try again in {reset_s} s.",
                retry_after_s=reset_s,
            )
        return {
            "x-ratelimit-limit-requests": str(self._limit.amount),
            "x-ratelimit-remaining-requests": str(max(0, window.remaining)),
            "x-ratelimit-reset-requests": f"{reset_s}s",
        }

    @contextmanager
    def under_way(self, client: str) -> Iterator[None]:
        """While the request is answered; to be entered as soon as it was admitted."""
        self._under_way[client] += 1
        try:
            yield
        finally:
            self._under_way[client] -= 1
            if not self._under_way[client]:
                del self._under_way[client]
