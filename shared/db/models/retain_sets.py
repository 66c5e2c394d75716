"""An operator's retain sets. Written by lacuna_request."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base


class RetainSet(Base):
    """One version of an operator's own retain set. Immutable; `digest` is keyed and depends on the content alone."""

    __tablename__ = "retain_set"
    __table_args__ = (UniqueConstraint("model_id", "digest"),)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str]
    object_key: Mapped[str]
    sha256: Mapped[str]
    wrapped_key: Mapped[bytes]
    seed: Mapped[int]
    counts: Mapped[dict[str, Any]]
    added_by: Mapped[str]
    added_at: Mapped[datetime]


class RetainChoice(Base):
    """Which retain set the next refit uses beside the reference people. `number` is NULL where it uses none."""

    __tablename__ = "retain_choice"
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"), primary_key=True)
    number: Mapped[int | None]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]
