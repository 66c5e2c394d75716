"""What the request service reads and writes: tickets and their events, orders, the desired state, the log."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.erasers import VersionTicket
from shared.db.models.refits import RefitRun, RefitRunTicket
from shared.db.models.tickets import Disposal, Ticket, TicketClock, TicketEvent
from shared.db.repositories.audit_log import NewLeaf, append_leaf, append_leaves
from shared.db.repositories.ticket_clocks import set_clock, start_clock
from shared.domain.deadlines import Clock
from shared.domain.ticket_lifecycle import CLERK, IN_FORCE, OVER, Event, TransitionContext, transition
from shared.errors import NotFound


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

    Raises what `transition` raises: Conflict, Forbidden, FourEyes, ...
    """
    case = TransitionContext(
        actor=actor,
        submitted_by=ticket.submitted_by,
        last_edited_by=ticket.last_edited_by,
        identity=ticket.identity,
        ground=ground,
        code=code,
        audit_passed=audit_passed,
        acknowledged=acknowledged,
    )
    _move(ticket, event, roles, case)
    if _stops_clock(ticket.state) and ticket.clock != "stopped":
        set_clock(session, ticket, "stopped", actor)
    record(session, ticket, actor, note)


def _move(ticket: Ticket, event: Event, roles: Iterable[str], case: TransitionContext) -> None:
    """The only place where the state of a ticket changes (ADR 12)."""
    ticket.state = transition(ticket.state, event, roles, case)
    ticket.version += 1


def _stops_clock(state: str) -> bool:
    return state in (*OVER, "completed")


@dataclass(frozen=True)
class Receipt:
    """A ticket that has no row yet, the moment of its receipt, and its first move with the note of that move."""

    ticket: Ticket
    received_at: datetime
    event: Event
    note: str | None = None


@dataclass(frozen=True)
class FiledTicket:
    """A ticket as it was written, with its clock and its history. The objects belong to no session."""

    ticket: Ticket
    clock: Clock
    events: tuple[TicketEvent, ...]
    clock_events: tuple[TicketClock, ...]


def receive_and_advance(
    session: Session, receipts: Sequence[Receipt], actor: str, *, roles: Iterable[str]
) -> list[FiledTicket]:
    """Insert new tickets, each moved from `received` by its first event: `advance` in bulk, in one statement.

    Raises what `transition` raises: Conflict, Forbidden, ...
    """
    now, roles = utc_now(), tuple(roles)
    filed, leaves = [], []
    for receipt in receipts:
        ticket = receipt.ticket
        ticket.state, ticket.version = "received", 1
        history: list[tuple[str, str | None]] = [("received", None)]
        leaves.append(_state_leaf(ticket, actor))
        _move(ticket, receipt.event, roles, TransitionContext(actor, actor, actor))
        history.append((ticket.state, receipt.note))
        leaves.append(_state_leaf(ticket, actor))
        started = start_clock(ticket, receipt.received_at, now, actor, stopped=_stops_clock(ticket.state))
        events = tuple(
            TicketEvent(ticket_id=ticket.id, at=now, actor=actor, state=state, note=note, kind="state")
            for state, note in history
        )
        filed.append(FiledTicket(ticket, started.clock, events, started.events))
    append_leaves(
        session,
        leaves,
        at=now,
        along_with=(
            [one.ticket for one in filed],
            [event for one in filed for event in one.events],
            [event for one in filed for event in one.clock_events],
        ),
    )
    return filed


def _state_leaf(ticket: Ticket, actor: str) -> NewLeaf:
    return NewLeaf(actor, f"ticket.{ticket.state}", ticket.id, {"version": ticket.version})


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
    append_leaf(session, actor, f"ticket.{leaf}", ticket.id, {"version": ticket.version})


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


def tickets_in_force(session: Session, model_id: str) -> list[Ticket]:
    """All tickets that the next version has to cover, oldest first."""
    found = select(Ticket).where(Ticket.model_id == model_id, Ticket.state.in_(IN_FORCE))
    return list(session.scalars(found.order_by(Ticket.submitted_at, Ticket.id)))


def get_ticket_by_id(session: Session, ticket_id: str) -> Ticket:
    """The ticket as it is now."""
    return session.get_one(Ticket, ticket_id)
