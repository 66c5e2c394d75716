"""Requests that people file themselves: by a public form, or through an agent of the Data Rights Protocol.

Written by lacuna_request; the control loop sends mails and callbacks.
"""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base, OfTenant


class TicketContact(OfTenant, Base):
    """How the person of a ticket is reached, sealed. A trigger destroys it with the ticket's payload."""

    __tablename__ = "ticket_contact"
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    sealed: Mapped[bytes | None]
    wrapped_key: Mapped[bytes | None]
    added_at: Mapped[datetime]


class FormRequest(OfTenant, Base):
    """A public form that somebody has begun. The mail address is sealed, until it is filed or too old."""

    __tablename__ = "form_request"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    address_index: Mapped[str]  # a keyed digest, by which the forms of an address are counted
    sealed: Mapped[bytes | None]
    wrapped_key: Mapped[bytes | None]
    language: Mapped[str]
    mail_next_at: Mapped[datetime | None]  # when the code is sent; None: it was, or never is
    mail_attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    tries: Mapped[int] = mapped_column(SmallInteger, default=0)  # wrong codes
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    proved_at: Mapped[datetime | None]
    ticket_id: Mapped[str | None] = mapped_column(ForeignKey("ticket.id"))


class DrpToken(OfTenant, Base):
    """A bearer token of an agent of the Data Rights Protocol. Only its sha256 is stored; an agent has one at a time."""

    __tablename__ = "drp_token"
    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    agent_id: Mapped[str]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class DrpMessage(OfTenant, Base):
    """A signed message that was carried out, so that it is carried out once; forgotten a day after it expired."""

    __tablename__ = "drp_message"
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    message_sha256: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]


class DrpRequest(OfTenant, Base):
    """A request that an agent sent, and its ticket. `told`: the status that the agent was last told by a callback."""

    __tablename__ = "drp_request"
    __table_args__ = (UniqueConstraint("tenant_id", "agent_id", "agent_request_id"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    agent_id: Mapped[str]
    agent_request_id: Mapped[str | None]
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), unique=True)
    status_callback: Mapped[str | None]
    received_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    told: Mapped[str | None]
    callback_next_at: Mapped[datetime | None]
    callback_attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
