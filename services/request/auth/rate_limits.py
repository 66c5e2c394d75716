"""Rate limits. The library `limits` counts, in Redis where there is one, so that all replicas share the count.

Without Redis each process counts for itself (docs/adr/0014-rate-limits.md): an officer must be able to work while Redis
cannot be reached, and a flood still meets a limit.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError

from shared.errors import TooManyRequests

logger = logging.getLogger(__name__)
Count = Callable[[FixedWindowRateLimiter, RateLimitItem, str, str], "RateLimitStatus"]
AWAY_S = 5.0  # how long this process counts for itself before it tries Redis again


@dataclass(frozen=True)
class RateLimitStatus:
    """How much of a limit is left: the content of the RateLimit headers."""

    limit: int
    remaining: int
    reset_s: int
    window_s: int

    @property
    def headers(self) -> dict[str, str]:
        """The two headers of draft-ietf-httpapi-ratelimit-headers-10."""
        return {
            "RateLimit-Policy": f'"default";q={self.limit};w={self.window_s}',
            "RateLimit": f'"default";r={self.remaining};t={self.reset_s}',
        }


class RateLimiter:
    """Counts requests of principals and wrong credentials of addresses. Both limits are written as `600/minute`."""

    def __init__(self, requests: str, failures: str, redis_url: str = "") -> None:
        self._requests, self._failures = parse(requests), parse(failures)
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._shared = FixedWindowRateLimiter(_redis(redis_url)) if redis_url else None
        self._away_until = 0.0

    def count_request(self, principal: str) -> RateLimitStatus:
        """Count one request of `principal`. Raises TooManyRequests with the seconds to wait."""
        return self._count(self._requests, principal, "requests", _hit)

    def count_failure(self, address: str) -> None:
        """Count one wrong credential from `address`. Raises TooManyRequests with the seconds to wait."""
        self._count(self._failures, address, "wrong credentials", _hit)

    def check_failures(self, address: str) -> None:
        """Raise TooManyRequests, with the seconds to wait, where `address` has sent too many; counts nothing."""
        self._count(self._failures, address, "wrong credentials", _test)

    def count(self, limit: RateLimitItem, key: str, what: str) -> RateLimitStatus:
        """Count one `what` of `key` under a limit of its own. Raises TooManyRequests with the seconds to wait."""
        return self._count(limit, key, what, _hit)

    def _count(self, limit: RateLimitItem, key: str, what: str, count: Count) -> RateLimitStatus:
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                return count(self._shared, limit, key, what)
            except (RedisError, OSError) as exc:
                logger.warning(
                    "rate limits: Redis cannot be reached (%s), counting in this process", type(exc).__name__
                )
                self._away_until = time.monotonic() + AWAY_S
        return count(self._local, limit, key, what)


def _hit(strategy: FixedWindowRateLimiter, limit: RateLimitItem, key: str, what: str) -> RateLimitStatus:
    return _status(strategy, limit, key, what, allowed=strategy.hit(limit, what, key))


def _test(strategy: FixedWindowRateLimiter, limit: RateLimitItem, key: str, what: str) -> RateLimitStatus:
    return _status(strategy, limit, key, what, allowed=strategy.test(limit, what, key))


def _status(
    strategy: FixedWindowRateLimiter, limit: RateLimitItem, key: str, what: str, *, allowed: bool
) -> RateLimitStatus:
    window = strategy.get_window_stats(limit, what, key)
    reset_s = max(1, int(window.reset_time - time.time()) + 1)
    window_s = limit.get_expiry()
    status = RateLimitStatus(limit.amount, max(0, window.remaining), min(reset_s, window_s), window_s)
    if not allowed:
        raise TooManyRequests(f"Too many {what}: try again in {status.reset_s} s.", retry_after_s=status.reset_s)
    return status


def _redis(url: str) -> RedisStorage:
    return RedisStorage(url, socket_timeout=0.5, socket_connect_timeout=0.5)
