"""API keys, which are found by their sha256: the key itself is stored nowhere."""

import hashlib
import uuid

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.tenancy import ApiKey


def find_api_key(session: Session, key: str) -> ApiKey | None:
    """The row of the key; None where the key is unknown, expired or revoked."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    return session.scalar(select(ApiKey).where(ApiKey.key_sha256 == digest, *_valid()))


def find_api_key_by_id(session: Session, key_id: uuid.UUID) -> ApiKey | None:
    """The row of the key with this id; None where the key is unknown, expired or revoked."""
    return session.scalar(select(ApiKey).where(ApiKey.id == key_id, *_valid()))


def _valid() -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a key is accepted now."""
    return ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > utc_now())
