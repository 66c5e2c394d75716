"""API keys, found by their digest: the key itself is stored nowhere."""

import hashlib
import uuid
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.tenancy import ApiKey, Model, Person

JOINT: Final = "."  # between the two parts of a key that two administrators gave


@dataclass(frozen=True)
class UsableKey:
    """A key that is valid now, whose it is, and what it may do: no more than its person.

    `model_id` is the model that the key's tenant has in use, where it has one.
    """

    key: ApiKey
    owner: str
    roles: tuple[str, ...]
    model_id: str


def digest(key: str) -> str:
    """What is stored of a key, in hexadecimal: its SHA-256.

    A key in two parts, each of which another administrator has seen, is digested through the SHA-256 of the first one:
    so the second part can be drawn where the first one is no longer known.
    """
    first, joint, second = key.partition(JOINT)
    return digest_of_parts(sha256(first), second) if joint else sha256(key)


def digest_of_parts(first_sha256: str, second: str) -> str:
    """The digest of a key in two parts, of which the first is known by its SHA-256 alone."""
    return sha256(f"{first_sha256}{JOINT}{second}")


def sha256(text: str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def find_api_key(session: Session, key: str) -> UsableKey | None:
    """The key with its person; None where it is unknown, expired or revoked, or where the person is disabled."""
    return _find(session, ApiKey.key_sha256 == digest(key))


def find_api_key_by_id(session: Session, key_id: uuid.UUID) -> UsableKey | None:
    """The same for the key with this id."""
    return _find(session, ApiKey.id == key_id)


def _find(session: Session, condition: ColumnElement[bool]) -> UsableKey | None:
    valid = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > utc_now())
    row = session.execute(
        select(ApiKey, Person.name, Person.roles, Model.id.label("model_id"))
        .join(Person, Person.id == ApiKey.person_id)
        .outerjoin(Model, and_(Model.tenant_id == ApiKey.tenant_id, Model.in_use))
        .where(condition, ApiKey.revoked_at.is_(None), valid, Person.disabled_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    roles = tuple(role for role in row.ApiKey.roles if role in row.roles)
    return UsableKey(row.ApiKey, row.name, roles, row.model_id or "")
