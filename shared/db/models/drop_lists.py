"""Deletion lists of California's DROP, and whom they matched. Written by lacuna_request and lacuna_control."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from shared.core.logging import current_request_id
from shared.db.models.base import Base, OfTenant


class DropList(OfTenant, Base):
    """A download of DROP, which is sealed in the object store until it is matched. `rows` is 0 where it was empty."""

    __tablename__ = "drop_list"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    owner: Mapped[str]
    fetched: Mapped[bool]  # from the platform, to which the answers go then
    sha256: Mapped[str]
    status: Mapped[str]
    object_key: Mapped[str]
    wrapped_key: Mapped[bytes | None]
    received_at: Mapped[datetime]
    rows: Mapped[int]
    matched: Mapped[int] = mapped_column(default=0)
    removed: Mapped[int] = mapped_column(default=0)
    tickets: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)  # in vain
    next_at: Mapped[datetime | None]  # before that it is not tried again
    correlation: Mapped[str | None] = mapped_column(default=current_request_id)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class DropMatch(OfTenant, Base):
    """A work item of DROP whose hash somebody in the register has: a ticket, or why there is none.

    `person_key` is a keyed index of the row of the register; neither the hash nor an identifier is kept.
    """

    __tablename__ = "drop_match"
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    item_id: Mapped[str] = mapped_column(primary_key=True)
    person_key: Mapped[str] = mapped_column(primary_key=True)
    list_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("drop_list.id"))
    file: Mapped[str]  # the name of the list's file without its ending, under which it is answered
    ticket_id: Mapped[str | None] = mapped_column(ForeignKey("ticket.id"))
    problem: Mapped[str | None]
    removed_at: Mapped[datetime | None]  # the person took the request back at the platform
    reported: Mapped[int | None]
    reported_at: Mapped[datetime | None]
