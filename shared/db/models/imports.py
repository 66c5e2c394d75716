"""Imports of ticket files. Written by lacuna_request."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from shared.core.logging import current_request_id
from shared.db.models.base import Base, OfTenant


class ImportJob(OfTenant, Base):
    """A file of tickets, which is sealed in the object store until the import is done."""

    __tablename__ = "import_job"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    owner: Mapped[str]
    format: Mapped[str]
    dry_run: Mapped[bool]
    status: Mapped[str]
    object_key: Mapped[str]
    wrapped_key: Mapped[bytes | None]
    rows: Mapped[int]
    done: Mapped[int]
    accepted: Mapped[int]
    refused: Mapped[int]
    error: Mapped[str | None]
    correlation: Mapped[str | None] = mapped_column(default=current_request_id)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class ImportRow(Base):
    """What became of one row: a ticket or a problem. Contains nothing of the row itself."""

    __tablename__ = "import_row"
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("import_job.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[str | None]
    problem: Mapped[str | None]
