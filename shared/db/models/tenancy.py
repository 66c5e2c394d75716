"""Who uses this installation, and which models it serves. Written by lacuna_request."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base


class Tenant(Base):
    """An organisation that uses this installation."""

    __tablename__ = "tenant"
    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]


class ApiKey(Base):
    """A key of one person or program. Only its sha256 is stored."""

    __tablename__ = "api_key"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    owner: Mapped[str]
    key_sha256: Mapped[str] = mapped_column(unique=True)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)  # empty: all that the roles allow
    label: Mapped[str] = mapped_column(default="")
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_by: Mapped[str | None]


class Model(Base):
    """A base model that is served. Each has one desired state."""

    __tablename__ = "model"
    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    source: Mapped[str]
    created_at: Mapped[datetime]


class IdempotencyKey(Base):
    """A client's Idempotency-Key with the answer to its request."""

    __tablename__ = "idempotency_key"
    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str]
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[Any] = mapped_column(JSONB)
    created_at: Mapped[datetime]


class ConsoleSession(Base):
    """A session of the web console: of an API key, or of a person whom the OpenID provider named (`subject`)."""

    __tablename__ = "console_session"
    id: Mapped[str] = mapped_column(primary_key=True)  # sha256 of the secret in the cookie
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    api_key_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("api_key.id"))
    subject: Mapped[str | None]
    roles: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
