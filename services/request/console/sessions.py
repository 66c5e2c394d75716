"""Sessions of the console: a secret in a cookie, of which the database keeps the sha256.

A session of an API key is worth what the key is worth: the key is looked at again at every request, so that a revoked
or expired key ends its sessions. A session of the OpenID provider keeps the person and the roles of its token, and is
short. Neither may do more than its person.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine

from services.request.auth.authentication import check_duties, principal_of_key, principal_of_person
from services.request.auth.principals import Principal
from shared.core.clock import utc_now
from shared.db.models.tenancy import ConsoleSession
from shared.db.repositories import api_keys, people
from shared.db.repositories.api_keys import UsableKey
from shared.db.session import transaction
from shared.domain.accounts import ROLES
from shared.errors import Forbidden, Unauthorized

KEY_SESSION: Final = timedelta(hours=10)  # a working day
OIDC_SESSION: Final = timedelta(hours=1)  # the roles are those of its beginning: the provider is asked again soon
CONSOLE_ROLES: Final = frozenset(ROLES) - {"client"}
OVER: Final = "The session is over. Sign in again."


@dataclass(frozen=True)
class SignedIn:
    """A new session: the secret of its cookie, and when it ends."""

    secret: str
    expires_at: datetime


def begin_with_key(database: Engine, key: str) -> SignedIn:
    """Begin a session of an API key.

    Raises Unauthorized where the key is not valid, Forbidden where none of its roles has a page of the console.
    """
    with transaction(database) as session:
        usable = api_keys.find_api_key(session, key)
        if usable is None:
            raise Unauthorized("This key is not known, has expired, or was revoked.")
        _check_roles(usable.roles)
        row = usable.key
        now = utc_now()
        ends = min(now + KEY_SESSION, row.expires_at or now + KEY_SESSION)
        secret = secrets.token_urlsafe(32)
        session.add(
            ConsoleSession(
                id=session_id(secret), tenant_id=row.tenant_id, api_key_id=row.id, created_at=now, expires_at=ends
            )
        )
        return SignedIn(secret, ends)


def begin_with_subject(database: Engine, principal: Principal) -> SignedIn:
    """Begin a session of whom `Authenticator` found for a token. Raises Forbidden as `begin_with_key` does."""
    _check_roles(principal.roles)
    now, secret = utc_now(), secrets.token_urlsafe(32)
    with transaction(database) as session:
        session.add(
            ConsoleSession(
                id=session_id(secret),
                tenant_id=principal.tenant_id,
                subject=principal.owner,
                roles=list(principal.roles),
                created_at=now,
                expires_at=now + OIDC_SESSION,
            )
        )
    return SignedIn(secret, now + OIDC_SESSION)


def principal_of(database: Engine, secret: str) -> Principal:
    """Whose session it is. Raises Unauthorized where it is unknown, has ended, or its key is no longer accepted."""
    with transaction(database) as session:
        row = session.get(ConsoleSession, session_id(secret))
        if row is None or row.ended_at is not None or row.expires_at <= utc_now():
            raise Unauthorized(OVER)
        if row.api_key_id is None:
            person = people.find_by_name(session, row.tenant_id, row.subject or "")
            if person is None or person.disabled_at is not None:
                raise Unauthorized(OVER)
            check_duties(row.roles or ())
            given = tuple(role for role in row.roles or () if role in person.roles)
            principal = principal_of_person(session, person, given)
        else:
            principal = _of_key(api_keys.find_api_key_by_id(session, row.api_key_id))
    check_duties(principal.roles)
    return principal


def end(database: Engine, secret: str) -> None:
    """End a session; one that is unknown or has ended stays as it is."""
    with transaction(database) as session:
        row = session.get(ConsoleSession, session_id(secret))
        if row is not None and row.ended_at is None:
            row.ended_at = utc_now()


def session_id(secret: str) -> str:
    """What the database knows a session by."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _of_key(usable: UsableKey | None) -> Principal:
    if usable is None:
        raise Unauthorized("The key of this session has expired or was revoked. Sign in again.")
    return principal_of_key(usable)


def _check_roles(roles: Iterable[str]) -> None:
    if not set(roles) & CONSOLE_ROLES:
        raise Forbidden("This account has no role that the console is for. Clients of the model use the API.")
