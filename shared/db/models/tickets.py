"""Tickets with their events, clocks, holds, escalations and disposals. Written by lacuna_request."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, SmallInteger, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base, OfTenant


class Ticket(OfTenant, Base):
    """A request to be forgotten. It contains no personal data: those are in the sealed payload."""

    __tablename__ = "ticket"
    __table_args__ = (UniqueConstraint("tenant_id", "source", "external_ref"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    state: Mapped[str]
    review_reason: Mapped[str | None]
    source: Mapped[str]
    external_ref: Mapped[str | None]
    subject_index: Mapped[list[str]] = mapped_column(ARRAY(Text))
    payload_key: Mapped[str]
    payload_sha256: Mapped[str]
    payload_wrapped_key: Mapped[bytes | None]
    kit_key: Mapped[str | None]
    kit_sha256: Mapped[str | None]
    kit_wrapped_key: Mapped[bytes | None]
    kit_made_at: Mapped[datetime | None]
    photos: Mapped[int]
    facts: Mapped[int]
    urgent: Mapped[bool]
    submitted_by: Mapped[str]
    submitted_at: Mapped[datetime]
    received_at: Mapped[datetime]  # from when the law counts; before `submitted_at` where it came by letter
    last_edited_by: Mapped[str]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    ground: Mapped[str | None]
    decision_code: Mapped[str | None]
    decision_note: Mapped[str | None]
    required_since: Mapped[datetime | None]
    version: Mapped[int]
    regime: Mapped[str] = mapped_column(server_default="gdpr")
    calendar: Mapped[str] = mapped_column(server_default="")
    zone: Mapped[str] = mapped_column(server_default="UTC")
    clock: Mapped[str] = mapped_column(server_default="running")
    due_at: Mapped[datetime | None]
    escalate_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    identity: Mapped[str] = mapped_column(server_default="assumed")
    identity_by: Mapped[str | None]
    identity_method: Mapped[str | None]
    identity_at: Mapped[datetime | None]
    fact_index: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    duplicate_of: Mapped[str | None] = mapped_column(ForeignKey("ticket.id"))
    languages: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{en}")
    name_keys: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    name_keys_form: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # 0: they were not made yet
    assigned_to: Mapped[uuid.UUID | None]  # a person of the tenant (a foreign key with the tenant)

    @property
    def person_keys(self) -> frozenset[str]:
        """By which the person is found: the keys of the names' canonical forms, and those of the names as written."""
        return frozenset((*self.name_keys, *self.subject_index))


class TicketEvent(Base):
    """One event of a ticket. Events are ordered by id."""

    __tablename__ = "ticket_event"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"))
    at: Mapped[datetime]
    actor: Mapped[str]
    state: Mapped[str]
    note: Mapped[str | None]
    # `state` where the state changed, otherwise what else changed: `clock.paused`, `hold.set`, ...
    kind: Mapped[str] = mapped_column(server_default="state")
    detail: Mapped[dict[str, Any] | None]  # sent to webhooks beside ids and state; no personal data


class MaterialCheck(Base):
    """That an approver confirmed each name of a ticket, or was shown its material, as it was then. Append-only."""

    __tablename__ = "material_check"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"))
    payload_sha256: Mapped[str]
    method: Mapped[str]  # names, shown
    actor: Mapped[str]
    reason: Mapped[str | None]
    at: Mapped[datetime]


class LifecycleMove(Base):
    """The state changes that the database allows: those of shared/domain/ticket_lifecycle.py. Written by no service."""

    __tablename__ = "lifecycle_move"
    origin: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)


class TicketClock(Base):
    """One event of a ticket's clock. Append-only, ordered by id."""

    __tablename__ = "ticket_clock"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"))
    kind: Mapped[str]
    at: Mapped[datetime]
    actor: Mapped[str]
    reason: Mapped[str | None]


class Escalation(Base):
    """A notice that so many per cent of the statutory time are used. Written once, and again after an extension."""

    __tablename__ = "escalation"
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    percent: Mapped[int] = mapped_column(primary_key=True)
    extensions: Mapped[int] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    at: Mapped[datetime]


class Disposal(Base):
    """The proof that one object of a ticket was destroyed: first its keys, then the object itself.

    `begun_at`: when its wrapped key was taken from the ticket, after which the rest is only a matter of time.
    """

    __tablename__ = "disposal"
    __table_args__ = (UniqueConstraint("ticket_id", "object"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"))
    object: Mapped[str]
    object_key: Mapped[str]
    sha256: Mapped[str]
    reason: Mapped[str]
    begun_at: Mapped[datetime]
    key_destroyed_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class RetiredKey(OfTenant, Base):
    """A wrapped key that was taken away, and the shredding key that is to be destroyed for it. Written by triggers.

    `name` is NULL where there was no shredding key; `replaced`: another key took its place, as when a ticket is edited.
    """

    __tablename__ = "retired_key"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str | None]
    object: Mapped[str]  # payload, kit, rows, letter, import, contact
    subject: Mapped[str]  # the ticket, or the import
    object_key: Mapped[str]  # in the object store; of a letter, its id
    sha256: Mapped[str | None]
    replaced: Mapped[bool]
    retired_at: Mapped[datetime] = mapped_column(server_default=func.now())
    destroyed_at: Mapped[datetime | None]


class TicketHold(Base):
    """A legal hold. One person sets it, two people release it."""

    __tablename__ = "ticket_hold"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"))
    reason: Mapped[str]
    set_by: Mapped[str]
    set_at: Mapped[datetime]
    release_asked_by: Mapped[str | None]
    release_asked_at: Mapped[datetime | None]
    released_by: Mapped[str | None]
    released_at: Mapped[datetime | None]
