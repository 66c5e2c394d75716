"""Audits of eraser versions. Written by lacuna_audit."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base


class AuditRun(Base):
    """One audit of one version. Held by a lease (see repositories/leases.py)."""

    __tablename__ = "audit_run"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("eraser_version.id"))
    status: Mapped[str]
    verdict: Mapped[str | None]
    reasons: Mapped[list[Any] | None]
    report: Mapped[dict[str, Any] | None]
    attempt: Mapped[int]
    fence: Mapped[int]
    lease_until: Mapped[datetime | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None]
    stage: Mapped[str | None]  # what it is doing, or did last
    progress: Mapped[dict[str, Any] | None]  # how much of the stage is done: done, total, what
    kind: Mapped[str] = mapped_column(default="candidate")  # or nightly, which has no verdict
    ticket_results: Mapped[dict[str, Any] | None]  # of a nightly one: ticket -> {"passed", "reason"}
