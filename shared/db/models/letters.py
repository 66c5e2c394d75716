"""Letters to the person. Written by lacuna_request; lacuna_control destroys them and wraps their keys anew."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base


class Letter(Base):
    """A letter as it was recorded. Its text is sealed, because an officer may have written anything into it."""

    __tablename__ = "letter"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"))
    kind: Mapped[str]
    regime: Mapped[str]
    language: Mapped[str]
    edited: Mapped[bool]  # whether its text is another one than the draft
    sealed: Mapped[bytes | None]
    wrapped_key: Mapped[bytes | None]
    sha256: Mapped[str]  # of `sealed`
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]
    destroyed_at: Mapped[datetime | None]
