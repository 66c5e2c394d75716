"""What the request service reads and writes: tickets and their events, orders, the desired state, the log."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.erasers import VersionTicket
from shared.db.models.refits import RefitRun, RefitRunTicket
from shared.db.models.tickets import Disposal, Ticket, TicketEvent
from shared.db.repositories.audit_log import append_leaf
from shared.db.repositories.ticket_clocks import set_clock
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

    Raises what `lifecycle.step` raises: Conflict, Forbidden, FourEyes, ...
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
    ticket.state = transition(ticket.state, event, roles, case)
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
