"""API keys, which are found by their sha256: the key itself is stored nowhere."""

import hashlib

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.tenancy import ApiKey


def find_api_key(session: Session, key: str) -> ApiKey | None:
    """The row of the key; None where the key is unknown, expired or revoked."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    valid = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > utc_now())
    return session.scalar(select(ApiKey).where(ApiKey.key_sha256 == digest, ApiKey.revoked_at.is_(None), valid))
