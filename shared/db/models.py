"""The tables. One writer each (see the grants in the migration); constraints and triggers stand in the migration."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Computed, DateTime, ForeignKey, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared import correlation


class Base(DeclarativeBase):
    """Text is `text`, times carry their zone, JSON is `jsonb`."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


class Tenant(Base):
    """Who uses this installation."""

    __tablename__ = "tenant"
    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]


class ApiKey(Base):
    """A key of one person or program; only its sha256 is kept."""

    __tablename__ = "api_key"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    owner: Mapped[str]
    key_sha256: Mapped[str] = mapped_column(unique=True)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)  # empty: all that the roles allow
    label: Mapped[str] = mapped_column(default="")
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_by: Mapped[str | None]


class Model(Base):
    """A served base model with a desired state of its own."""

    __tablename__ = "model"
    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    source: Mapped[str]
    created_at: Mapped[datetime]


class Ticket(Base):
    """A request to be forgotten. Holds no personal data: they are in the sealed payload."""

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


class TicketEvent(Base):
    """What happened to a ticket, in order."""

    __tablename__ = "ticket_event"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"))
    at: Mapped[datetime]
    actor: Mapped[str]
    state: Mapped[str]
    note: Mapped[str | None]
    kind: Mapped[str] = mapped_column(
        server_default="state"
    )  # `state` for a move; else the facet that changed: `clock.paused`, `hold.set`, ...
    detail: Mapped[dict[str, Any] | None]  # told to webhooks beside ids and state; no personal data


class LifecycleMove(Base):
    """Which moves of a ticket the database allows; equal to shared/lifecycle.py."""

    __tablename__ = "lifecycle_move"
    origin: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)


class TicketClock(Base):
    """What a ticket's clock knows of, in order: append-only."""

    __tablename__ = "ticket_clock"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"))
    kind: Mapped[str]
    at: Mapped[datetime]
    actor: Mapped[str]
    reason: Mapped[str | None]


class Escalation(Base):
    """That so many per cent of the statutory time were used; written once for each, and again after an extension."""

    __tablename__ = "escalation"
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    percent: Mapped[int] = mapped_column(primary_key=True)
    extensions: Mapped[int] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    at: Mapped[datetime]


class Disposal(Base):
    """One object of a ticket that was destroyed: its key first, then itself."""

    __tablename__ = "disposal"
    __table_args__ = (UniqueConstraint("ticket_id", "object"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"))
    object: Mapped[str]
    object_key: Mapped[str]
    sha256: Mapped[str]
    reason: Mapped[str]
    key_destroyed_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class TicketHold(Base):
    """A legal hold: set by one, released by two."""

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


class BreakGlass(Base):
    """A version that may expose somebody for a time: asked for by one, confirmed by another."""

    __tablename__ = "break_glass"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("eraser_version.id"))
    reason: Mapped[str]
    minutes: Mapped[int]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    confirmed_by: Mapped[str | None]
    confirmed_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]


class BreakGlassTicket(Base):
    """Whom it exposes."""

    __tablename__ = "break_glass_ticket"
    break_glass_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("break_glass.id"), primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), primary_key=True)


class RestoreAcceptance(Base):
    """That a database older than its mark is accepted: asked for by one, confirmed by another."""

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


class KitAccess(Base):
    """That somebody may look into a ticket's audit kit for a time: asked for by one, allowed by another."""

    __tablename__ = "kit_access"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"))
    reason: Mapped[str]
    minutes: Mapped[int]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    allowed_by: Mapped[str | None]
    allowed_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    ended_at: Mapped[datetime | None]


class KitOpening(Base):
    """One look into a kit: append-only."""

    __tablename__ = "kit_opening"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    access_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("kit_access.id"))
    at: Mapped[datetime]
    actor: Mapped[str]


class Exposure(Base):
    """The ledger: how long a ticket's person was exposed, from the promotion until no replica did so any more."""

    __tablename__ = "exposure"
    break_glass_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("break_glass.id"), primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    seconds: Mapped[float | None] = mapped_column(Computed("extract(epoch FROM ended_at - started_at)", persisted=True))


class IdempotencyKey(Base):
    """A key of a client with the answer it got."""

    __tablename__ = "idempotency_key"
    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str]
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[Any] = mapped_column(JSONB)
    created_at: Mapped[datetime]


class Webhook(Base):
    """Somebody who is told of what happens. The secrets are sealed."""

    __tablename__ = "webhook"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    url: Mapped[str]
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    secret: Mapped[bytes]
    secret_key: Mapped[bytes]
    old_secret: Mapped[bytes | None]
    old_secret_key: Mapped[bytes | None]
    old_until: Mapped[datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class WebhookDelivery(Base):
    """One message to one webhook, and what became of it."""

    __tablename__ = "webhook_delivery"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhook.id"))
    event: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    attempts: Mapped[int]
    state: Mapped[str]
    status: Mapped[int | None]
    error: Mapped[str | None]


class WebhookCursor(Base):
    """Up to where the tickets' history became messages: one row."""

    __tablename__ = "webhook_cursor"
    id: Mapped[int] = mapped_column(primary_key=True)
    last_event: Mapped[int] = mapped_column(BigInteger)


class ImportJob(Base):
    """A file of tickets, sealed in the store until it is done."""

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
    correlation: Mapped[str | None] = mapped_column(default=correlation.current)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class ImportRow(Base):
    """What became of one row: a ticket or a problem. Says nothing of what stood in it."""

    __tablename__ = "import_row"
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("import_job.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[str | None]
    problem: Mapped[str | None]


class DesiredState(Base):
    """Which version every replica of a model has to serve. Guarded by a trigger."""

    __tablename__ = "desired_state"
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"), primary_key=True)
    generation: Mapped[int]
    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("eraser_version.id"))
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]


class Promotion(Base):
    """Every change of a desired state."""

    __tablename__ = "promotion"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    generation: Mapped[int]
    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("eraser_version.id"))
    kind: Mapped[str]
    actor: Mapped[str]
    at: Mapped[datetime]


class RefitRun(Base):
    """One order to rebuild; its id is that of the outbox row which ordered it."""

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
    recipe: Mapped[str | None]  # of a forward rollback; else the worker's own


class RefitRunTicket(Base):
    """What a run did with a ticket."""

    __tablename__ = "refit_run_ticket"
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("refit_run.id"), primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    outcome: Mapped[str]
    at: Mapped[datetime]
    detail: Mapped[str | None]


class FitRows(Base):
    """Where the rows of a ticket are, for one state of the base statistics."""

    __tablename__ = "fit_rows"
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"), primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    object_key: Mapped[str]
    sha256: Mapped[str]
    wrapped_key: Mapped[bytes | None]
    created_at: Mapped[datetime]


class RetainSet(Base):
    """One version of an operator's own retain set: immutable. `digest` is keyed and depends on the content alone."""

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
    """Which retain set the next refit uses beside the reference people; `number` is NULL for none."""

    __tablename__ = "retain_choice"
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"), primary_key=True)
    number: Mapped[int | None]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]


class EraserVersion(Base):
    """One published eraser: immutable."""

    __tablename__ = "eraser_version"
    __table_args__ = (UniqueConstraint("model_id", "number"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    number: Mapped[int]
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("refit_run.id"))
    recipe: Mapped[str]
    object_key: Mapped[str]
    sha256: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    manifest: Mapped[dict[str, Any]]
    envelope: Mapped[dict[str, Any]]
    wrapped_key: Mapped[bytes]
    created_at: Mapped[datetime]
    coverage_root: Mapped[str | None]  # Merkle root over its tickets; None before migration 2


class VersionTicket(Base):
    """Which tickets a version covers."""

    __tablename__ = "version_ticket"
    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("eraser_version.id"), primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    rows_sha256: Mapped[str]


class AuditRun(Base):
    """One audit of one version."""

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


class Replica(Base):
    """What one inference replica last acknowledged."""

    __tablename__ = "replica"
    id: Mapped[str] = mapped_column(primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"), primary_key=True)
    generation: Mapped[int]
    version_number: Mapped[int | None]
    state: Mapped[str]
    error: Mapped[str | None]
    lease_until: Mapped[datetime]
    acked_at: Mapped[datetime]


class Outbox(Base):
    """Messages to be sent, written in the transaction of the change that they tell of."""

    __tablename__ = "outbox"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    queue: Mapped[str]
    task: Mapped[str]
    kwargs: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    attempts: Mapped[int]
    correlation: Mapped[str | None] = mapped_column(default=correlation.current)


class LogLeaf(Base):
    """The audit log: append-only, no personal data. Has no place until the sequencer gives it one, once."""

    __tablename__ = "log_leaf"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]
    position: Mapped[int | None] = mapped_column(BigInteger)
    leaf_hash: Mapped[bytes | None]


class LogCheckpoint(Base):
    """What was signed of the log at one size: append-only."""

    __tablename__ = "log_checkpoint"
    size: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    root: Mapped[bytes]
    note: Mapped[str]
    at: Mapped[datetime]


class Rewrap(Base):
    """One order to wrap all data keys anew, and how far it is."""

    __tablename__ = "rewrap"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    target: Mapped[str | None]  # the name of the wrapping key
    place: Mapped[int]
    after: Mapped[list[Any] | None]
    passes: Mapped[int]
    done: Mapped[int]
    total: Mapped[int]
    changed: Mapped[int] = mapped_column(default=0)  # in this pass
    rewrapped: Mapped[int]
    seen: Mapped[dict[str, Any]]  # name of a wrapping key -> data keys under it, in this pass
    before: Mapped[dict[str, Any]]  # likewise, in the first pass
    unreadable: Mapped[list[Any]]
    finished_at: Mapped[datetime | None]


class LogTimestamp(Base):
    """An outside authority's token on one checkpoint: append-only."""

    __tablename__ = "log_timestamp"
    size: Mapped[int] = mapped_column(ForeignKey("log_checkpoint.size"), primary_key=True)
    token: Mapped[bytes]
    attested_at: Mapped[datetime]
    made_at: Mapped[datetime]


class Certificate(Base):
    """One statement about a ticket, signed: append-only. The highest number of a ticket is the one that stands."""

    __tablename__ = "certificate"
    __table_args__ = (UniqueConstraint("ticket_id", "number"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ticket.id"))
    number: Mapped[int]
    status: Mapped[str]
    reason: Mapped[str]
    version_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("eraser_version.id"))
    sha256: Mapped[str]
    envelope: Mapped[dict[str, Any]]
    issued_at: Mapped[datetime]
    log_size: Mapped[int | None] = mapped_column(BigInteger)  # of the checkpoint it speaks at; None before migration 12


class Pulse(Base):
    """When something that has to happen again and again last went well."""

    __tablename__ = "pulse"
    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class Alarm(Base):
    """Something that did not happen in time: raised once, cleared once."""

    __tablename__ = "alarm"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    sentence: Mapped[str]
    raised_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]
