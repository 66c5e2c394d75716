"""Authentication: an API key (only its sha256 is stored) or a token of the OpenID provider. Checks no permission."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine

from services.request.auth.oidc import OidcProvider
from services.request.auth.principals import Principal
from shared.core.clock import utc_now
from shared.core.expiring_cache import ExpiringCache
from shared.core.http import bearer_token_of
from shared.db.repositories import api_keys
from shared.db.session import transaction
from shared.domain.accounts import EXCLUSIVE_ROLES
from shared.errors import DutiesMixed, Unauthorized

KEY_REMEMBERED_S: Final = 2.0
MOST_REMEMBERED: Final = 1000
ONCE_VALID_S: Final = 3600.0
LONGEST_CREDENTIAL: Final = 16 * 1024  # characters: tokens with many groups are long
LAST_USE_EVERY: Final = timedelta(minutes=1)  # the last use of a key is written at most this often


@dataclass(frozen=True)
class Authenticator:
    """Turns a credential into a Principal. `provider` is None where no OpenID provider is configured."""

    database: Engine
    provider: OidcProvider | None = None
    _by_digest: ExpiringCache[Principal] = field(
        default_factory=lambda: ExpiringCache(KEY_REMEMBERED_S, MOST_REMEMBERED)
    )
    _once_valid: ExpiringCache[bool] = field(default_factory=lambda: ExpiringCache(ONCE_VALID_S, MOST_REMEMBERED))

    def credential_of(self, headers: Mapping[str, str]) -> str:
        """The credential of a request, from its headers alone: whatever is to count as one is read here.

        Raises Unauthorized where there is none. Nothing is looked up: it costs no more than the headers.
        """
        credential = bearer_token_of(headers)
        if len(credential) > LONGEST_CREDENTIAL:
            raise Unauthorized("This key is not known, has expired, or was revoked.")
        return credential

    def was_valid(self, credential: str) -> bool:
        """Whether the credential was valid in the last ONCE_VALID_S."""
        return self._once_valid.get(_digest(credential)) is not None

    def forget(self) -> None:
        """Look every key up again, because one was revoked in this process."""
        self._by_digest.clear()

    def authenticate(self, credential: str) -> Principal:
        """The principal of an API key or a token.

        A key is remembered for KEY_REMEMBERED_S: so long it is still accepted after another process revoked it. Raises
        Unauthorized where the credential is not valid now, DutiesMixed where its roles exclude each other.
        """
        if self.provider is not None and credential.count(".") == 2:
            principal = self.provider.principal(credential)
        else:
            principal = self._by_digest.get_or_load(_digest(credential), lambda: self._by_key(credential))
        self._once_valid.get_or_load(_digest(credential), lambda: True)
        check_duties(principal.roles)
        return principal

    def _by_key(self, credential: str) -> Principal:
        with transaction(self.database) as session:
            key = api_keys.find_api_key(session, credential)
            if key is None:
                raise Unauthorized("This key is not known, has expired, or was revoked.")
            now = utc_now()
            if key.last_used_at is None or abs(now - key.last_used_at) > LAST_USE_EVERY:
                key.last_used_at = now
            return Principal(key.tenant_id, key.owner, tuple(key.roles), tuple(key.scopes))


def _digest(credential: str) -> str:
    return hashlib.sha256(credential.encode()).hexdigest()


def check_duties(roles: Iterable[str]) -> None:
    """Raise DutiesMixed where one of `roles` may not be held together with another."""
    held = set(roles)
    for role, compatible in EXCLUSIVE_ROLES.items():
        if role in held and not held <= compatible:
            raise DutiesMixed(f"Nobody may be {role} and {' and '.join(sorted(held - compatible))} at once.")
