"""Which clients may ask: API keys with a role for it. Only the sha256 of a key is stored or remembered."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Engine

from shared.core.expiring_cache import ExpiringCache
from shared.core.http import require_role
from shared.db.repositories import api_keys
from shared.db.session import transaction
from shared.errors import Unauthorized

CLIENT_ROLES: Final = ("client", "admin")
KEY_REMEMBERED_S: Final = 5.0  # a revoked or expired key is accepted for so long at most
MOST_REMEMBERED: Final = 1000  # keys


@dataclass(frozen=True)
class ClientKeys:
    """The API keys of clients, each looked up in the database once in KEY_REMEMBERED_S."""

    database: Engine
    _roles_by_digest: ExpiringCache[tuple[str, ...]] = field(
        default_factory=lambda: ExpiringCache(KEY_REMEMBERED_S, MOST_REMEMBERED)
    )

    def check(self, key: str) -> None:
        """Raise Unauthorized for a key that is not valid, Forbidden for one that has no role of a client.

        A key that was revoked, or has expired, is refused after KEY_REMEMBERED_S at the latest. A key that is not valid
        is not remembered.
        """
        digest = hashlib.sha256(key.encode()).hexdigest()
        require_role(self._roles_by_digest.get_or_load(digest, lambda: self._look_up(key)), CLIENT_ROLES)

    def _look_up(self, key: str) -> tuple[str, ...]:
        with transaction(self.database) as session:
            record = api_keys.find_api_key(session, key)
            if record is None:
                raise Unauthorized("This key is not known, or was revoked.")
            return tuple(record.roles)
