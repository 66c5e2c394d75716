"""What the request service reads and writes: tickets and their events, orders, the desired state, the log."""

import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from shared.clock import utc_now
from shared.contracts import QUEUE_REFIT, TASK_REFIT
from shared.db.models import (
    ApiKey,
    AuditRun,
    DesiredState,
    EraserVersion,
    LogLeaf,
    Outbox,
    Promotion,
    RefitRun,
    Replica,
    Ticket,
    TicketEvent,
    VersionTicket,
)
from shared.errors import NotFound
from shared.lifecycle import Event, move


def find_api_key(session: Session, key: str) -> ApiKey | None:
    """The key's row, unless it is unknown or revoked."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    return session.scalar(select(ApiKey).where(ApiKey.key_sha256 == digest, ApiKey.revoked_at.is_(None)))


def get_ticket(session: Session, tenant: str, ticket_id: str, *, lock: bool = False) -> Ticket:
    """The ticket; raises NotFound. With `lock` nobody else changes it until the transaction ends."""
    query = select(Ticket).where(Ticket.tenant_id == tenant, Ticket.id == ticket_id.upper())
    ticket = session.scalar(query.with_for_update() if lock else query)
    if ticket is None:
        raise NotFound(f"There is no ticket {ticket_id}.")
    return ticket


def list_tickets(session: Session, tenant: str, state: str | None, limit: int, after: str | None) -> list[Ticket]:
    """Newest first, optionally in one state; `after` is the last id of the page before."""
    query = select(Ticket).where(Ticket.tenant_id == tenant)
    if state is not None:
        query = query.where(Ticket.state == state)
    if after is not None:
        seen = get_ticket(session, tenant, after)
        query = query.where(
            (Ticket.submitted_at < seen.submitted_at)
            | ((Ticket.submitted_at == seen.submitted_at) & (Ticket.id > seen.id))
        )
    return list(session.scalars(query.order_by(Ticket.submitted_at.desc(), Ticket.id).limit(limit)))


def events_of(session: Session, ticket_id: str) -> list[TicketEvent]:
    """In order."""
    return list(session.scalars(select(TicketEvent).where(TicketEvent.ticket_id == ticket_id).order_by(TicketEvent.id)))


def advance(session: Session, ticket: Ticket, event: Event, actor: str, note: str | None = None) -> None:
    """Move the ticket, with its event and log leaf; raises Conflict where the move is not allowed."""
    ticket.state = move(ticket.state, event)
    ticket.version += 1
    record(session, ticket, actor, note)


def record(session: Session, ticket: Ticket, actor: str, note: str | None = None) -> None:
    """Write the ticket's present state into its history and the log."""
    now = utc_now()
    session.add(TicketEvent(ticket_id=ticket.id, at=now, actor=actor, state=ticket.state, note=note))
    log(session, actor, f"ticket.{ticket.state}", ticket.id, {"version": ticket.version})


def log(session: Session, actor: str, kind: str, subject: str, detail: dict[str, Any]) -> None:
    """Append a leaf."""
    session.execute(insert(LogLeaf).values(at=utc_now(), actor=actor, kind=kind, subject=subject, detail=detail))


def order_refit(session: Session, model_id: str, kind: str) -> uuid.UUID:
    """Order a refit in the caller's transaction; the run will have this id."""
    order = uuid.uuid4()
    session.add(
        Outbox(
            id=order,
            queue=QUEUE_REFIT,
            task=TASK_REFIT,
            kwargs={"run": str(order), "model": model_id, "kind": kind},
            created_at=utc_now(),
            attempts=0,
        )
    )
    return order


def get_version(session: Session, model_id: str, number: int) -> EraserVersion:
    """The version; raises NotFound."""
    version = session.scalar(
        select(EraserVersion).where(EraserVersion.model_id == model_id, EraserVersion.number == number)
    )
    if version is None:
        raise NotFound(f"There is no eraser version {number}.")
    return version


def audits_of(session: Session, version_id: uuid.UUID) -> list[AuditRun]:
    """Newest first."""
    found = select(AuditRun).where(AuditRun.version_id == version_id)
    return list(session.scalars(found.order_by(AuditRun.started_at.desc())))


def tickets_of(session: Session, version_id: uuid.UUID) -> list[str]:
    """Ids of the tickets that the version covers."""
    found = select(VersionTicket.ticket_id).where(VersionTicket.version_id == version_id)
    return list(session.scalars(found.order_by(VersionTicket.ticket_id)))


def desired_state(session: Session, model_id: str, *, lock: bool = False) -> DesiredState | None:
    """What has to be served, if anything was promoted yet."""
    query = select(DesiredState).where(DesiredState.model_id == model_id)
    return session.scalar(query.with_for_update() if lock else query)


def set_desired(session: Session, version: EraserVersion, kind: str, actor: str) -> DesiredState:
    """Promote `version`. The database refuses what has passed no audit or would expose somebody (see session.py)."""
    now = utc_now()
    state = desired_state(session, version.model_id, lock=True)
    if state is None:
        state = DesiredState(
            model_id=version.model_id, generation=1, version_id=version.id, changed_by=actor, changed_at=now
        )
        session.add(state)
    else:
        state.generation += 1
        state.version_id, state.changed_by, state.changed_at = version.id, actor, now
    session.flush()
    session.add(
        Promotion(
            model_id=version.model_id,
            generation=state.generation,
            version_id=version.id,
            kind=kind,
            actor=actor,
            at=now,
        )
    )
    log(
        session,
        actor,
        f"eraser.{'rolled_back' if kind == 'rollback' else 'promoted'}",
        f"{version.model_id}/{version.number}",
        {"generation": state.generation, "kind": kind},
    )
    return state


def uncovered(session: Session, model_id: str, version_id: uuid.UUID) -> Sequence[str]:
    """Tickets that must stay forgotten and that the version does not cover."""
    return session.scalars(select(func.uncovered_tickets(model_id, version_id))).all()


def live_replicas(session: Session, model_id: str) -> list[Replica]:
    """Replicas whose lease has not run out."""
    return list(session.scalars(select(Replica).where(Replica.model_id == model_id, Replica.lease_until > utc_now())))


def recent_runs(session: Session, model_id: str, limit: int) -> list[RefitRun]:
    """Newest first."""
    found = select(RefitRun).where(RefitRun.model_id == model_id)
    return list(session.scalars(found.order_by(RefitRun.started_at.desc()).limit(limit)))
