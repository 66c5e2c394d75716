"""Webhooks and their deliveries. Written by lacuna_request."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base, OfTenant


class Webhook(OfTenant, Base):
    """An address that receives messages about tickets. Its secrets are sealed."""

    __tablename__ = "webhook"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    url: Mapped[str]
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    secret: Mapped[bytes]
    secret_key: Mapped[bytes]
    old_secret: Mapped[bytes | None]
    old_secret_key: Mapped[bytes | None]
    old_until: Mapped[datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class WebhookDelivery(Base):
    """One message to one webhook, and whether it was delivered."""

    __tablename__ = "webhook_delivery"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhook.id"))
    event: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    attempts: Mapped[int]
    state: Mapped[str]
    status: Mapped[int | None]
    error: Mapped[str | None]


class WebhookCursor(Base):
    """The last ticket event and the last leaf of the log for which messages were written. The table has one row."""

    __tablename__ = "webhook_cursor"
    id: Mapped[int] = mapped_column(primary_key=True)
    last_event: Mapped[int] = mapped_column(BigInteger)
    last_leaf: Mapped[int] = mapped_column(BigInteger, server_default="0")
