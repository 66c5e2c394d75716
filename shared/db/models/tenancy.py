"""Who uses this installation, and which models it serves. Written by lacuna_request."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.models.base import Base, OfTenant


class Tenant(Base):
    """An organisation that uses this installation. The people of the first one, `default`, operate it."""

    __tablename__ = "tenant"
    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    set_up_at: Mapped[datetime | None]  # from then on two administrators give access to anybody


class Person(OfTenant, Base):
    """Somebody who works with Lacuna, a human or a program. What others may do is compared by `id`."""

    __tablename__ = "person"
    __table_args__ = (UniqueConstraint("tenant_id", "name"), UniqueConstraint("tenant_id", "skeleton"))
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    name: Mapped[str]  # never changes
    skeleton: Mapped[str]  # equal for names that look alike
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))  # bounds what each key and token may do
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class PersonName(OfTenant, Base):
    """A spelling under which records name a person: the name, and spellings from before people were rows."""

    __tablename__ = "person_name"
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id"))


class PersonSubject(OfTenant, Base):
    """The subject of an OpenID provider's tokens that is this person. No `issuer`: not seen since people are rows.

    Two tenants may give the same one, and neither learns it: the first one counts.
    """

    __tablename__ = "person_subject"
    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id"))
    given_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TenantRequest(Base):
    """A tenant that one administrator of the operating tenant asks to add, and another one confirms."""

    __tablename__ = "tenant_request"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]  # that it will have
    model_id: Mapped[str]
    administrators: Mapped[list[str]] = mapped_column(ARRAY(Text))  # the names of its first people
    key_parts_sha256: Mapped[list[str]] = mapped_column(ARRAY(Text))  # of the first parts of their keys
    asked_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id"))
    asked_at: Mapped[datetime]
    confirmed_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("person.id"))
    confirmed_at: Mapped[datetime | None]
    confirmed_in: Mapped[str | None]  # the transaction in which it takes effect; written by a trigger
    ended_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("person.id"))
    ended_at: Mapped[datetime | None]


class AccessGrant(OfTenant, Base):
    """A person, roles, a subject or a key that one administrator asks to give, and another one confirms."""

    __tablename__ = "access_grant"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    kind: Mapped[str]
    person_id: Mapped[uuid.UUID]  # to whom; of a new person, the id that it will have
    name: Mapped[str]
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    label: Mapped[str] = mapped_column(default="")
    expires_at: Mapped[datetime | None]
    key_part_sha256: Mapped[str | None]  # of the part of a key that the first administrator was shown
    issuer: Mapped[str | None]
    subject: Mapped[str | None]
    asked_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id"))
    asked_at: Mapped[datetime]
    confirmed_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("person.id"))
    confirmed_at: Mapped[datetime | None]
    confirmed_in: Mapped[str | None]  # the transaction in which it takes effect; written by a trigger
    ended_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("person.id"))
    ended_at: Mapped[datetime | None]


class ApiKey(OfTenant, Base):
    """A key of one person or program. Only its sha256 is stored."""

    __tablename__ = "api_key"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    owner: Mapped[str]
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id"))
    key_sha256: Mapped[str] = mapped_column(unique=True)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)  # empty: all that the roles allow
    label: Mapped[str] = mapped_column(default="")
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_by: Mapped[str | None]


class Model(OfTenant, Base):
    """A base model that is served for a tenant. Each has one desired state; a tenant has one model in use."""

    __tablename__ = "model"
    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    source: Mapped[str]
    created_at: Mapped[datetime]
    in_use: Mapped[bool] = mapped_column(default=False)


class SavedView(OfTenant, Base):
    """A view of the list of tickets that a person saved by a name; without both once it has ended."""

    __tablename__ = "saved_view"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    person_id: Mapped[uuid.UUID]
    name: Mapped[str]
    filters: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class IdempotencyKey(OfTenant, Base):
    """A client's Idempotency-Key with the answer to its request."""

    __tablename__ = "idempotency_key"
    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str]
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[Any] = mapped_column(JSONB)
    created_at: Mapped[datetime]


class ConsoleSession(OfTenant, Base):
    """A session of the web console: of an API key, or of a person whom the OpenID provider named (`subject`)."""

    __tablename__ = "console_session"
    id: Mapped[str] = mapped_column(primary_key=True)  # sha256 of the secret in the cookie
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    api_key_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("api_key.id"))
    subject: Mapped[str | None]
    roles: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
