"""LogLeaf, LogCheckpoint, LogTimestamp, Certificate."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base


class LogLeaf(Base):
    """The audit log: append-only, no personal data. Has no place until the sequencer gives it one, once."""

    __tablename__ = "log_leaf"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]
    position: Mapped[int | None] = mapped_column(BigInteger)
    leaf_hash: Mapped[bytes | None]


class LogCheckpoint(Base):
    """What was signed of the log at one size: append-only."""

    __tablename__ = "log_checkpoint"
    size: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    root: Mapped[bytes]
    note: Mapped[str]
    at: Mapped[datetime]


class LogTimestamp(Base):
    """An outside authority's token on one checkpoint: append-only."""

    __tablename__ = "log_timestamp"
    size: Mapped[int] = mapped_column(ForeignKey("log_checkpoint.size"), primary_key=True)
    token: Mapped[bytes]
    attested_at: Mapped[datetime]
    made_at: Mapped[datetime]


class Certificate(Base):
    """One statement about a ticket, signed: append-only. The highest number of a ticket is the one that stands."""

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
    log_size: Mapped[int | None] = mapped_column(BigInteger)  # of the checkpoint it speaks at; None before migration 12
