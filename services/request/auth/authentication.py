"""Who asks: an API key (only its sha256 is kept) or a token of the OpenID provider. Checks no rights."""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine

from services.request.auth.oidc import OidcProvider
from services.request.auth.principals import Principal
from shared.core.clock import utc_now
from shared.db.repositories import api_keys
from shared.db.session import transaction
from shared.domain.accounts import EXCLUSIVE_ROLES
from shared.errors import DutiesMixed, Unauthorized

MEMORY_S: Final = 2.0
MOST_KNOWN: Final = 1000
NOTED_EVERY: Final = timedelta(minutes=1)  # a key's last use is written at most this often


@dataclass(frozen=True)
class Authenticator:
    """`provider` is None where no OpenID provider is configured: then only keys are taken."""

    database: Engine
    provider: OidcProvider | None = None
    _known: dict[str, tuple[Principal, float]] = field(default_factory=dict)

    def forget(self) -> None:
        """Look every key up again: one of them was revoked here."""
        self._known.clear()

    def authenticate(self, credential: str) -> Principal:
        """Raises Unauthorized for a key or token that is not valid now, DutiesMixed for roles that exclude each other.

        A key is remembered for two seconds: that is how long one that was revoked by another process still opens.
        """
        remembered = hashlib.sha256(credential.encode()).hexdigest()
        known = self._known.get(remembered)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        if self.provider is not None and credential.count(".") == 2:
            caller = self.provider.principal(credential)
        else:
            caller = self._by_key(credential)
            if len(self._known) > MOST_KNOWN:
                self._known.clear()
            self._known[remembered] = (caller, time.monotonic() + MEMORY_S)
        check_duties(caller.roles)
        return caller

    def _by_key(self, key: str) -> Principal:
        with transaction(self.database) as session:
            found = api_keys.find_api_key(session, key)
            if found is None:
                raise Unauthorized("This key is not known, has expired, or was revoked.")
            now = utc_now()
            if found.last_used_at is None or abs(now - found.last_used_at) > NOTED_EVERY:
                found.last_used_at = now
            return Principal(found.tenant_id, found.owner, tuple(found.roles), tuple(found.scopes))


def check_duties(roles: Iterable[str]) -> None:
    """Raise DutiesMixed where one of `roles` may not be held together with another."""
    held = set(roles)
    for role, company in EXCLUSIVE_ROLES.items():
        if role in held and not held <= company:
            raise DutiesMixed(f"Nobody is {role} and {' and '.join(sorted(held - company))} at once.")
