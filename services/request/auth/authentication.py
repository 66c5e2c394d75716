"""Authentication: an API key (only its sha256 is stored) or a token of the OpenID provider. Checks no permission."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from services.request.auth.oidc import OidcProvider, Token
from services.request.auth.principals import Principal
from shared.core.clock import utc_now
from shared.core.expiring_cache import ExpiringCache
from shared.core.http import bearer_token_of
from shared.db.models.tenancy import Person
from shared.db.repositories import api_keys, models, people
from shared.db.repositories.api_keys import UsableKey
from shared.db.session import transaction
from shared.domain.accounts import EXCLUSIVE_ROLES
from shared.errors import DutiesMixed, Forbidden, Unauthorized

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

        It may do no more than its person. A key, or the person of a token, is remembered for KEY_REMEMBERED_S: so long
        it is still accepted after another process revoked it. Raises Unauthorized where the credential is not valid
        now, Forbidden where a token belongs to no person, DutiesMixed where its roles exclude each other.
        """
        if self.provider is not None and credential.count(".") == 2:
            principal = self.principal_of_token(self.provider.check(credential))
        else:
            principal = self._by_digest.get_or_load(_digest(credential), lambda: self._by_key(credential))
        self._once_valid.get_or_load(_digest(credential), lambda: True)
        check_duties(principal.roles)
        return principal

    def principal_of_token(self, token: Token) -> Principal:
        """Whose token it is, once the provider has checked it. Raises Forbidden and DutiesMixed as `authenticate`."""
        check_duties(token.roles)
        person = self._by_digest.get_or_load(
            _digest(f"{token.issuer} {token.subject}"), lambda: self._by_subject(token)
        )
        return replace(person, roles=tuple(role for role in token.roles if role in person.roles))

    def _by_key(self, credential: str) -> Principal:
        with transaction(self.database) as session:
            usable = api_keys.find_api_key(session, credential)
            if usable is None:
                raise Unauthorized("This key is not known, has expired, or was revoked.")
            key, now = usable.key, utc_now()
            if key.last_used_at is None or abs(now - key.last_used_at) > LAST_USE_EVERY:
                key.last_used_at = now
            return principal_of_key(usable)

    def _by_subject(self, token: Token) -> Principal:
        with transaction(self.database) as session:
            person = people.find_by_subject(session, token.issuer, token.subject)
            if person is None or person.disabled_at is not None:
                raise Forbidden("This account belongs to nobody who works here: two administrators have to add it.")
            return principal_of_person(session, person, person.roles)


def principal_of_key(usable: UsableKey) -> Principal:
    """Who calls with this key."""
    key = usable.key
    scopes = tuple(key.scopes)
    return Principal(key.tenant_id, usable.owner, usable.roles, scopes, key.person_id, key.expires_at, usable.model_id)


def principal_of_person(session: Session, person: Person, roles: Iterable[str]) -> Principal:
    """The person as a caller with these roles."""
    model_id = models.model_in_use(session, person.tenant_id)
    return Principal(person.tenant_id, person.name, tuple(roles), person_id=person.id, model_id=model_id)


def _digest(credential: str) -> str:
    return hashlib.sha256(credential.encode()).hexdigest()


def check_duties(roles: Iterable[str]) -> None:
    """Raise DutiesMixed where one of `roles` may not be held together with another."""
    held = set(roles)
    for role, compatible in EXCLUSIVE_ROLES.items():
        if role in held and not held <= compatible:
            raise DutiesMixed(f"Nobody may be {role} and {' and '.join(sorted(held - compatible))} at once.")
