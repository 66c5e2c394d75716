"""Access to audit kits. Written by lacuna_request."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base


class KitAccess(Base):
    """Permission to open the audit kit of a ticket for a time: one person asks, another allows it."""

    __tablename__ = "kit_access"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"))
    reason: Mapped[str]
    minutes: Mapped[int]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    allowed_by: Mapped[str | None]
    allowed_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    ended_at: Mapped[datetime | None]


class KitOpening(Base):
    """One opening of an audit kit. Append-only."""

    __tablename__ = "kit_opening"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    access_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("kit_access.id"))
    at: Mapped[datetime]
    actor: Mapped[str]
