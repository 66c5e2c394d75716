"""How often somebody may ask. `limits` counts, in Redis where there is one, so that all replicas share the count.

Without Redis each process counts for itself (see docs/adr/0014-rate-limits.md): an officer must be able to work while
Redis is away, and a flood still meets a bound.
"""

import logging
import time
from dataclasses import dataclass

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError

from shared.errors import TooManyRequests

logger = logging.getLogger(__name__)
AWAY_S = 5.0  # how long the own count is used before Redis is tried again


@dataclass(frozen=True)
class RateLimitStatus:
    """What the RateLimit header says."""

    limit: int
    remaining: int
    reset_s: int
    window_s: int

    @property
    def headers(self) -> dict[str, str]:
        """draft-ietf-httpapi-ratelimit-headers-10."""
        return {
            "RateLimit-Policy": f'"default";q={self.limit};w={self.window_s}',
            "RateLimit": f'"default";r={self.remaining};t={self.reset_s}',
        }


class Limiter:
    """`often` as in `600/minute`; `failures` bounds wrong credentials of one address."""

    def __init__(self, often: str, failures: str, redis_url: str = "") -> None:
        self._often, self._failures = parse(often), parse(failures)
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._shared = FixedWindowRateLimiter(_redis(redis_url)) if redis_url else None
        self._away_until = 0.0

    def hit(self, principal: str) -> RateLimitStatus:
        """Count one request of `who`; raises TooMany with the seconds to wait."""
        return self._count(self._often, principal, "requests")

    def failed(self, address: str) -> None:
        """Count one wrong credential; raises TooMany."""
        self._count(self._failures, address, "wrong credentials")

    def _count(self, item: RateLimitItem, principal: str, what: str) -> RateLimitStatus:
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                return _hit(self._shared, item, principal, what)
            except (RedisError, OSError) as exc:
                logger.warning("rate limits: Redis cannot be reached (%s), counting here", type(exc).__name__)
                self._away_until = time.monotonic() + AWAY_S
        return _hit(self._own, item, principal, what)


def _hit(strategy: FixedWindowRateLimiter, item: RateLimitItem, principal: str, what: str) -> RateLimitStatus:
    passed = strategy.hit(item, what, principal)
    stats = strategy.get_window_stats(item, what, principal)
    reset = max(1, int(stats.reset_time - time.time()) + 1)
    left = RateLimitStatus(item.amount, max(0, stats.remaining), min(reset, item.get_expiry()), item.get_expiry())
    if not passed:
        raise TooManyRequests(f"Too many {what}: try again in {left.reset_s} s.", retry_after_s=left.reset_s)
    return left


def _redis(url: str) -> RedisStorage:
    return RedisStorage(url, socket_timeout=0.5, socket_connect_timeout=0.5)
