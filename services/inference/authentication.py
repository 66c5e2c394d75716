"""Which clients may ask: API keys with a role and a scope for it. Only the sha256 of a key is stored or remembered."""

import asyncio
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import Engine

from shared.core.expiring_cache import ExpiringCache
from shared.core.http import require_role
from shared.db.repositories import api_keys, models
from shared.db.session import transaction
from shared.domain.accounts import MODEL_SCOPE
from shared.errors import InsufficientScope, NotReady, TooManyRequests, Unauthorized, Unavailable

CLIENT_ROLES: Final = ("client", "admin")
KEY_REMEMBERED_S: Final = 5.0  # a revoked or expired key is accepted for so long at most
MOST_REMEMBERED: Final = 1000  # keys
ONCE_VALID_S: Final = 3600.0  # a key that was valid so recently is looked up whatever others at its address have sent
LONGEST_KEY: Final = 512  # characters
LOOK_UP_THREADS: Final = 4
MOST_LOOK_UPS: Final = 256  # under way at once
LOOK_UP_S: Final = 8.0  # longer than the database is given to accept a connection
FAILURES: Final = "60/minute"
RETRY_AFTER_S: Final = 1


class Rights(NamedTuple):
    """What a key allows; without scopes, all that its roles allow."""

    roles: tuple[str, ...]
    scopes: tuple[str, ...]


class WrongKeys:
    """Counts wrong keys of each address (shared/core/client_addresses.py), in this process. `limit`: as `60/minute`."""

    def __init__(self, limit: str = FAILURES) -> None:
        self._limit: RateLimitItem = parse(limit)
        self._counter = FixedWindowRateLimiter(MemoryStorage())

    def check(self, address: str) -> None:
        """Raise TooManyRequests, with the seconds to wait, where an address has sent too many."""
        if not self._counter.test(self._limit, address):
            reset_s = self._counter.get_window_stats(self._limit, address).reset_time - time.time()
            wait_s = max(1, min(int(reset_s) + 1, self._limit.get_expiry()))
            raise TooManyRequests(f"Too many wrong keys: try again in {wait_s} s.", retry_after_s=wait_s)

    def count(self, address: str) -> None:
        """Count one."""
        self._counter.hit(self._limit, address)


def _once_valid() -> ExpiringCache[bool]:
    return ExpiringCache(ONCE_VALID_S, MOST_REMEMBERED)


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(LOOK_UP_THREADS, thread_name_prefix="keys")


@dataclass(frozen=True)
class ClientKeys:
    """The API keys of clients, each looked up in the database once in KEY_REMEMBERED_S, in threads of their own.

    Keys of the tenant for which `model_id` is served are accepted, and no others.
    """

    database: Engine
    model_id: str
    _rights_by_digest: ExpiringCache[Rights] = field(
        default_factory=lambda: ExpiringCache(KEY_REMEMBERED_S, MOST_REMEMBERED)
    )
    wrong_keys: WrongKeys = field(default_factory=WrongKeys)
    _once_valid: ExpiringCache[bool] = field(default_factory=_once_valid)
    _threads: ThreadPoolExecutor = field(default_factory=_threads)
    _look_ups: dict[str, "asyncio.Future[Rights]"] = field(default_factory=dict)

    def check(self, key: str) -> None:
        """Raise Unauthorized for a key that is not valid, Forbidden for one without a role or scope to ask the model.

        A key that was revoked, or has expired, is refused after KEY_REMEMBERED_S at the latest. A key that is not valid
        is not remembered.
        """
        _require_client(self._rights_by_digest.get_or_load(digest_of(key), lambda: self._look_up(key)))

    async def admit(self, key: str, address: str) -> None:
        """The same without blocking the event loop, for a client at `address`.

        Raises TooManyRequests where the address has sent too many wrong keys, before the database is asked; NotReady or
        Unavailable where it cannot be asked now.
        """
        digest = digest_of(key)
        rights = self._rights_by_digest.get(digest)
        if rights is None:
            if self._once_valid.get(digest) is None:
                self.wrong_keys.check(address)
            try:
                rights = await self._shared_look_up(digest, key)
            except Unauthorized:
                self.wrong_keys.count(address)
                raise
            self._once_valid.get_or_load(digest, lambda: True)
        _require_client(rights)

    async def _shared_look_up(self, digest: str, key: str) -> Rights:
        """The rights of a key; requests that come with the same key at once wait for one look-up."""
        if len(key) > LONGEST_KEY:
            raise Unauthorized("This key is not known, or was revoked.")
        look_up = self._look_ups.get(digest)
        if look_up is None:
            if len(self._look_ups) >= MOST_LOOK_UPS:
                raise NotReady("Too many keys are being checked; try again in a moment.", retry_after_s=RETRY_AFTER_S)
            look_up = asyncio.ensure_future(self._look_up_in_thread(digest, key))
            self._look_ups[digest] = look_up
            look_up.add_done_callback(lambda ended: self._ended(digest, ended))
        return await asyncio.shield(look_up)

    async def _look_up_in_thread(self, digest: str, key: str) -> Rights:
        loaded = self._threads.submit(self._rights_by_digest.get_or_load, digest, lambda: self._look_up(key))
        try:
            async with asyncio.timeout(LOOK_UP_S):
                return await asyncio.wrap_future(loaded)
        except TimeoutError as exc:
            raise Unavailable("The database did not answer in time.", retry_after_s=RETRY_AFTER_S) from exc

    def _ended(self, digest: str, look_up: "asyncio.Future[Rights]") -> None:
        self._look_ups.pop(digest, None)
        if not look_up.cancelled():
            look_up.exception()  # all who waited for it may have left

    def _look_up(self, key: str) -> Rights:
        with transaction(self.database) as session:
            record = api_keys.find_api_key(session, key)
            if record is None or record.key.tenant_id != models.tenant_of(session, self.model_id):
                raise Unauthorized("This key is not known, or was revoked.")
            return Rights(record.roles, tuple(record.key.scopes))


def _require_client(rights: Rights) -> None:
    require_role(rights.roles, CLIENT_ROLES)
    if rights.scopes and MODEL_SCOPE not in rights.scopes:
        raise InsufficientScope(f"This key was not given the scope {MODEL_SCOPE}.")


def digest_of(key: str) -> str:
    """The sha256 of a key, by which it is remembered and counted."""
    return hashlib.sha256(key.encode()).hexdigest()
