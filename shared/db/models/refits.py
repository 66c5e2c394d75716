"""Refits and the fits that they keep. Written by lacuna_refit.

lacuna_request may replace the wrapped key of a fit when keys are rotated.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base


class RefitRun(Base):
    """One refit. Its id is that of the outbox row that ordered it. Held by a lease (see repositories/leases.py)."""

    __tablename__ = "refit_run"
    __table_args__ = (UniqueConstraint("model_id", "kind", "period"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    kind: Mapped[str]
    period: Mapped[str | None]
    status: Mapped[str]
    stage: Mapped[str | None]
    attempt: Mapped[int]
    fence: Mapped[int]
    lease_until: Mapped[datetime | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None]
    version_id: Mapped[uuid.UUID | None]
    seconds: Mapped[dict[str, Any] | None]
    progress: Mapped[dict[str, Any] | None]
    notes: Mapped[list[Any] | None]
    recipe: Mapped[str | None]  # of a rollback that goes forward; NULL for the worker's own


class RefitRunTicket(Base):
    """What a run did with a ticket."""

    __tablename__ = "refit_run_ticket"
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("refit_run.id"), primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    outcome: Mapped[str]
    at: Mapped[datetime]
    detail: Mapped[str | None]


class StoredTicketFit(Base):
    """Where the sealed fit of a ticket is, for the base statistics with this digest.

    `material`: of which material it was made (`ticket_fits.material_of`); None where a worker of the version before
    that was noted wrote it.
    """

    __tablename__ = "fit_rows"
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"), primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    object_key: Mapped[str]
    sha256: Mapped[str]
    wrapped_key: Mapped[bytes | None]
    material: Mapped[str | None]
    created_at: Mapped[datetime]
