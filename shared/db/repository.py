"""What the request service reads and writes: tickets and their events, orders, the desired state, the log."""

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import func, insert, or_, select
from sqlalchemy.orm import Session

from shared.clock import utc_now
from shared.contracts import QUEUE_REFIT, TASK_REFIT
from shared.db.models import (
    ApiKey,
    AuditRun,
    DesiredState,
    Disposal,
    EraserVersion,
    LogLeaf,
    Outbox,
    Promotion,
    RefitRun,
    RefitRunTicket,
    Replica,
    Ticket,
    TicketClock,
    TicketEvent,
    VersionTicket,
)
from shared.deadline import Calendar, Clock, ClockEvent, Kind, tell
from shared.errors import NotFound
from shared.lifecycle import CLERK, OVER, Case, Event, step
from shared.regimes import regime


def find_api_key(session: Session, key: str) -> ApiKey | None:
    """The key's row, unless it is unknown, expired or revoked."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    valid = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > utc_now())
    return session.scalar(select(ApiKey).where(ApiKey.key_sha256 == digest, ApiKey.revoked_at.is_(None), valid))


def get_ticket(session: Session, tenant: str, ticket_id: str, *, lock: bool = False) -> Ticket:
    """The ticket; raises NotFound. With `lock` nobody else changes it until the transaction ends."""
    query = select(Ticket).where(Ticket.tenant_id == tenant, Ticket.id == ticket_id.upper())
    ticket = session.scalar(query.with_for_update() if lock else query)
    if ticket is None:
        raise NotFound(f"There is no ticket {ticket_id}.")
    return ticket


def events_of(session: Session, ticket_id: str) -> list[TicketEvent]:
    """In order."""
    return list(session.scalars(select(TicketEvent).where(TicketEvent.ticket_id == ticket_id).order_by(TicketEvent.id)))


def disposals_of(session: Session, ticket_id: str) -> list[Disposal]:
    """What of the ticket was destroyed, in order."""
    found = select(Disposal).where(Disposal.ticket_id == ticket_id)
    return list(session.scalars(found.order_by(Disposal.key_destroyed_at)))


def advance(
    session: Session,
    ticket: Ticket,
    event: Event,
    actor: str,
    note: str | None = None,
    *,
    roles: Iterable[str] = (CLERK,),
    ground: str | None = None,
    code: str | None = None,
    audit_passed: bool = False,
    acknowledged: bool = False,
) -> None:
    """Move the ticket, with its event and log leaf; a ticket that is over, or completed, stops its clock.

    Raises what `lifecycle.step` raises: Conflict, Forbidden, FourEyes, ...
    """
    case = Case(
        actor=actor,
        submitted_by=ticket.submitted_by,
        last_edited_by=ticket.last_edited_by,
        identity=ticket.identity,
        ground=ground,
        code=code,
        audit_passed=audit_passed,
        acknowledged=acknowledged,
    )
    ticket.state = step(ticket.state, event, roles, case)
    ticket.version += 1
    if ticket.state in (*OVER, "completed") and ticket.clock != "stopped":
        set_clock(session, ticket, "stopped", actor)
    record(session, ticket, actor, note)


def record(
    session: Session,
    ticket: Ticket,
    actor: str,
    note: str | None = None,
    kind: str = "state",
    detail: dict[str, Any] | None = None,
) -> None:
    """Write the ticket's present state, or the facet `kind` that changed, into its history and the log.

    `detail` is told to webhooks too.
    """
    session.add(
        TicketEvent(
            ticket_id=ticket.id, at=utc_now(), actor=actor, state=ticket.state, note=note, kind=kind, detail=detail
        )
    )
    leaf = ticket.state if kind == "state" else kind
    log(session, actor, f"ticket.{leaf}", ticket.id, {"version": ticket.version})


def set_clock(
    session: Session, ticket: Ticket, kind: Kind, actor: str, reason: str | None = None, at: datetime | None = None
) -> Clock:
    """Tell the clock something and write what is due now; the history of the ticket is the caller's."""
    session.add(TicketClock(ticket_id=ticket.id, kind=kind, at=at or utc_now(), actor=actor, reason=reason))
    session.flush()
    now = clock_of(session, ticket)
    ticket.clock = "running" if now.state == "overdue" else now.state
    ticket.due_at = now.due_at
    ticket.escalate_at = utc_now() if ticket.clock == "running" else None
    return now


def clock_of(session: Session, ticket: Ticket) -> Clock:
    """What is due, and when."""
    told = clock_events(session, ticket.id)
    begin = max(i for i, one in enumerate(told) if one.kind == "received")  # a clock that was started anew
    events = [ClockEvent(cast(Kind, one.kind), one.at) for one in told[begin:]]
    return tell(regime(ticket.regime), Calendar(ticket.calendar, ticket.zone), events, utc_now())


def clock_events(session: Session, ticket_id: str) -> list[TicketClock]:
    """In order."""
    return list(session.scalars(select(TicketClock).where(TicketClock.ticket_id == ticket_id).order_by(TicketClock.id)))


def log(session: Session, actor: str, kind: str, subject: str, detail: dict[str, Any]) -> None:
    """Append a leaf."""
    session.execute(insert(LogLeaf).values(at=utc_now(), actor=actor, kind=kind, subject=subject, detail=detail))


def order_refit(session: Session, model_id: str, kind: str, *, recipe: str | None = None) -> uuid.UUID:
    """Order a refit in the caller's transaction; the run will have this id. `recipe` is that of a forward rollback."""
    order = uuid.uuid4()
    more = {"recipe": recipe} if recipe else {}
    session.add(
        Outbox(
            id=order,
            queue=QUEUE_REFIT,
            task=TASK_REFIT,
            kwargs={"run": str(order), "model": model_id, "kind": kind} | more,
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
    said = {"rollback": "rolled_back", "break_glass": "exposing"}.get(kind, "promoted")
    log(
        session,
        actor,
        f"eraser.{said}",
        f"{version.model_id}/{version.number}",
        {"generation": state.generation, "kind": kind},
    )
    return state


def return_deploying(session: Session, version: EraserVersion, actor: str, roles: Iterable[str]) -> None:
    """Tickets on their way into service that `version` does not cover wait for another one."""
    covered = select(VersionTicket.ticket_id).where(VersionTicket.version_id == version.id)
    found = select(Ticket).where(
        Ticket.model_id == version.model_id, Ticket.state == "deploying", Ticket.id.not_in(covered)
    )
    for ticket in session.scalars(found.with_for_update()):
        advance(session, ticket, "return", actor, f"back to version {version.number}", roles=roles)


def was_fitted(session: Session, ticket_id: str) -> bool:
    """Whether any eraser, or a refit that is under way, holds the ticket's rows."""
    version = select(VersionTicket.ticket_id).where(VersionTicket.ticket_id == ticket_id).limit(1)
    run = (
        select(RefitRunTicket.ticket_id)
        .join(RefitRun, RefitRun.id == RefitRunTicket.run_id)
        .where(RefitRunTicket.ticket_id == ticket_id, RefitRun.status.in_(("running", "waiting")))
        .limit(1)
    )
    return session.scalar(version) is not None or session.scalar(run) is not None


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
