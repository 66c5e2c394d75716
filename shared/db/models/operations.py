"""Operation of the installation. Written by lacuna_request, but for two tables.

lacuna_refit orders audits in the outbox too, and lacuna_refit and lacuna_audit write heartbeats of their own.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from shared.core.logging import current_request_id
from shared.db.models.base import Base


class RestoreAcceptance(Base):
    """That a database below its high-water mark is accepted: one person asks, another confirms."""

    __tablename__ = "restore_acceptance"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    mark_sha256: Mapped[str]
    mark: Mapped[dict[str, Any]]
    present: Mapped[dict[str, Any]]
    checkpoint: Mapped[str]
    checkpoint_sha256: Mapped[str]
    reason: Mapped[str]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    confirmed_by: Mapped[str | None]
    confirmed_at: Mapped[datetime | None]


class Outbox(Base):
    """A message to be sent, written in the transaction of the change that it is about."""

    __tablename__ = "outbox"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    queue: Mapped[str]
    task: Mapped[str]
    kwargs: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    attempts: Mapped[int]
    correlation: Mapped[str | None] = mapped_column(default=current_request_id)


class KeyRotation(Base):
    """A rotation of the wrapping key: all data keys are wrapped again. `place` and `after` say how far it is."""

    __tablename__ = "rewrap"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    target: Mapped[str | None]  # public name of the new wrapping key
    place: Mapped[int]
    after: Mapped[list[Any] | None]
    passes: Mapped[int]
    done: Mapped[int]
    total: Mapped[int]
    changed: Mapped[int] = mapped_column(default=0)  # in this pass
    rewrapped: Mapped[int]
    seen: Mapped[dict[str, Any]]  # name of a wrapping key -> number of data keys under it, in this pass
    before: Mapped[dict[str, Any]]  # the same, in the first pass
    unreadable: Mapped[list[Any]]
    finished_at: Mapped[datetime | None]


class Heartbeat(Base):
    """When a process or a recurring job last did its work."""

    __tablename__ = "pulse"
    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class Alarm(Base):
    """Something that did not happen in time. Raised once and cleared once."""

    __tablename__ = "alarm"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    sentence: Mapped[str]
    raised_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]
