"""The audit log and certificates. Written by lacuna_request; lacuna_refit and lacuna_audit append leaves too."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base


class LogLeaf(Base):
    """A leaf of the audit log. Append-only, no personal data. The sequencer gives it its position, once."""

    __tablename__ = "log_leaf"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]
    position: Mapped[int | None] = mapped_column(BigInteger)
    leaf_hash: Mapped[bytes | None]
    tenant_id: Mapped[str | None] = mapped_column(ForeignKey("tenant.id"))  # who reads it; None: the operating tenant


class LogCheckpoint(Base):
    """The signed state of the log at one size. Append-only."""

    __tablename__ = "log_checkpoint"
    size: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    root: Mapped[bytes]
    note: Mapped[str]
    at: Mapped[datetime]


class LogTimestamp(Base):
    """The token of a time-stamping authority on one checkpoint. Append-only."""

    __tablename__ = "log_timestamp"
    size: Mapped[int] = mapped_column(ForeignKey("log_checkpoint.size"), primary_key=True)
    token: Mapped[bytes]
    attested_at: Mapped[datetime]
    made_at: Mapped[datetime]


class Certificate(Base):
    """A signed statement about a ticket. Append-only; the one with the highest number stands."""

    __tablename__ = "certificate"
    __table_args__ = (UniqueConstraint("ticket_id", "number"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"))
    number: Mapped[int]
    status: Mapped[str]
    reason: Mapped[str]
    version_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("eraser_version.id"))
    sha256: Mapped[str]
    envelope: Mapped[dict[str, Any]]
    issued_at: Mapped[datetime]
    log_size: Mapped[int | None] = mapped_column(BigInteger)  # of its checkpoint; NULL in the oldest certificates
