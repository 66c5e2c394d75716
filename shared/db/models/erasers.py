"""Eraser versions (written by lacuna_refit), what is served (lacuna_request), replicas (lacuna_inference).

lacuna_request writes the desired state, promotions, break-glass permissions and exposures. It may also replace the
wrapped key of a version when keys are rotated.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Computed, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base


class BreakGlass(Base):
    """Permission to serve for a time a version that exposes somebody: one person asks, another confirms."""

    __tablename__ = "break_glass"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("eraser_version.id"))
    reason: Mapped[str]
    minutes: Mapped[int]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    confirmed_by: Mapped[str | None]
    confirmed_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]


class BreakGlassTicket(Base):
    """A ticket whose person a break-glass permission exposes."""

    __tablename__ = "break_glass_ticket"
    break_glass_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("break_glass.id"), primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), primary_key=True)


class Exposure(Base):
    """How long the person of a ticket was exposed: from the promotion until no replica served that version any more."""

    __tablename__ = "exposure"
    break_glass_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("break_glass.id"), primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    seconds: Mapped[float | None] = mapped_column(Computed("extract(epoch FROM ended_at - started_at)", persisted=True))


class DesiredState(Base):
    """The version that every replica of a model has to serve. A trigger guards it: the rollback guard."""

    __tablename__ = "desired_state"
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"), primary_key=True)
    generation: Mapped[int]
    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("eraser_version.id"))
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]


class Promotion(Base):
    """One change of a desired state."""

    __tablename__ = "promotion"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    generation: Mapped[int]
    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("eraser_version.id"))
    kind: Mapped[str]
    actor: Mapped[str]
    at: Mapped[datetime]


class EraserVersion(Base):
    """One published eraser. Immutable, but for the wrapping of its key."""

    __tablename__ = "eraser_version"
    __table_args__ = (UniqueConstraint("model_id", "number"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    number: Mapped[int]
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("refit_run.id"))
    recipe: Mapped[str]
    object_key: Mapped[str]
    sha256: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    manifest: Mapped[dict[str, Any]]
    envelope: Mapped[dict[str, Any]]
    wrapped_key: Mapped[bytes]
    created_at: Mapped[datetime]
    coverage_root: Mapped[str | None]  # Merkle root over its tickets; NULL in the oldest versions


class VersionTicket(Base):
    """A ticket that a version covers, with the sha256 of its fit (`rows_sha256`)."""

    __tablename__ = "version_ticket"
    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("eraser_version.id"), primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    rows_sha256: Mapped[str]


class Replica(Base):
    """What an inference replica last acknowledged."""

    __tablename__ = "replica"
    id: Mapped[str] = mapped_column(primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"), primary_key=True)
    generation: Mapped[int]
    version_number: Mapped[int | None]
    state: Mapped[str]
    error: Mapped[str | None]
    lease_until: Mapped[datetime]
    acked_at: Mapped[datetime]
