"""Tickets: read one, move it from state to state, record what happened to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.erasers import VersionTicket
from shared.db.models.refits import RefitRun, RefitRunTicket
from shared.db.models.tickets import Disposal, Ticket, TicketClock, TicketEvent
from shared.db.repositories import people
from shared.db.repositories.audit_log import NewLeaf, append_leaf, append_leaves
from shared.db.repositories.ticket_clocks import record_clock_event, restart_clock, start_clock
from shared.domain.accounts import SYSTEM_ACTOR
from shared.domain.deadlines import Clock
from shared.domain.four_eyes import Actor
from shared.domain.regimes import regime
from shared.domain.ticket_lifecycle import (
    CLOSED,
    ENDED_WITHOUT_ERASER,
    IN_FORCE,
    NEEDS_RESUBMISSION,
    ORIGINAL_ENDED,
    SET_ASIDE,
    Event,
    TransitionContext,
    transition,
)
from shared.errors import NotFound

STILL_IN_DOUBT: Final = "Nobody has verified the identity of the person who asks yet."
_IS_SET_ASIDE: Final = and_(
    Ticket.state == "failed", func.coalesce(Ticket.review_reason, "") == SET_ASIDE, Ticket.required_since.is_(None)
)


def get_ticket(session: Session, tenant: str, ticket_id: str, *, lock: bool = False) -> Ticket:
    """The tenant's ticket. With `lock`, nobody else can change it until the transaction ends. Raises NotFound."""
    query = select(Ticket).where(Ticket.tenant_id == tenant, Ticket.id == ticket_id.upper())
    ticket = session.scalar(query.with_for_update() if lock else query)
    if ticket is None:
        raise NotFound(f"There is no ticket {ticket_id}.")
    return ticket


def find_ticket(session: Session, ticket_id: str) -> Ticket:
    """The ticket of any tenant, for a command on the machine of a worker. Raises NotFound."""
    ticket = session.get(Ticket, ticket_id.upper())
    if ticket is None:
        raise NotFound(f"There is no ticket {ticket_id}.")
    return ticket


def list_events(session: Session, ticket_id: str) -> list[TicketEvent]:
    """The events of the ticket, in order."""
    return list(session.scalars(select(TicketEvent).where(TicketEvent.ticket_id == ticket_id).order_by(TicketEvent.id)))


def in_state_since(session: Session, ticket_id: str) -> datetime:
    """When the ticket came into its present state, or into it again."""
    moves = select(func.max(TicketEvent.at)).where(TicketEvent.ticket_id == ticket_id, TicketEvent.kind == "state")
    return session.scalars(moves).one()


def list_disposals(session: Session, ticket_id: str) -> list[Disposal]:
    """The objects of the ticket that were destroyed, in order."""
    query = select(Disposal).where(Disposal.ticket_id == ticket_id)
    return list(session.scalars(query.order_by(Disposal.begun_at)))


def advance(
    session: Session,
    ticket: Ticket,
    event: Event,
    actor: str,
    note: str | None = None,
    *,
    roles: Iterable[str] = (SYSTEM_ACTOR,),
    ground: str | None = None,
    code: str | None = None,
    audit_passed: bool = False,
    acknowledged: bool = False,
) -> None:
    """Move the ticket, with its event and log leaf. A ticket that is closed or completed stops its clock.

    Raises what `transition` raises: Conflict, Forbidden, or the error of a guard (FourEyes, IdentityInDoubt, ...).
    """
    deeds = people.changes_of_material(session, ticket) if event == "approve" else []
    known = people.actors(session, ticket.tenant_id, [actor, *(name for _, name in deeds)]) if deeds else {}
    context = TransitionContext(
        actor=known.get(actor, Actor(actor, None)),
        material_by=[(deed, known[name]) for deed, name in deeds],
        identity=ticket.identity,
        ground=ground,
        code=code,
        audit_passed=audit_passed,
        acknowledged=acknowledged,
    )
    _move(ticket, event, roles, context)
    if _stops_clock(ticket.state) and ticket.clock != "stopped":
        record_clock_event(session, ticket, "stopped", actor)
    record(session, ticket, actor, note)
    if ticket.state in ENDED_WITHOUT_ERASER:
        reopen_duplicates(session, ticket)


def reopen_duplicates(session: Session, original: Ticket) -> None:
    """What was filed again is a request of its own where `original` does not stand for it any more.

    It has ended without an eraser, or it was edited and says less than its duplicate does. Each such duplicate goes to
    review with its own clock, which counts from its own receipt.
    """
    session.flush()
    ended = original.state in ENDED_WITHOUT_ERASER
    why = f"{original.id} was {original.state}." if ended else f"{original.id} was edited, and does not say it all."
    waiting = select(Ticket).where(Ticket.duplicate_of == original.id, Ticket.state == "duplicate")
    for ticket in session.scalars(waiting.order_by(Ticket.submitted_at, Ticket.id).with_for_update()):
        if not ended and _says_all(original, ticket):
            continue
        take_up_duplicate(session, ticket, "reopen", SYSTEM_ACTOR, why)
        ticket.review_reason = ORIGINAL_ENDED if ticket.payload_wrapped_key is not None else NEEDS_RESUBMISSION


def take_up_duplicate(
    session: Session,
    ticket: Ticket,
    event: Event,
    actor: str,
    note: str,
    *,
    roles: Iterable[str] = (SYSTEM_ACTOR,),
) -> None:
    """A duplicate becomes a request of its own: its clock counts from its own receipt, as if it had never stopped.

    Where its identity is in doubt, it waits for the check, as it would have without the other request.
    """
    in_doubt = ticket.identity == "doubted"
    if in_doubt:
        ticket.identity = "assumed"  # nothing that is under review is in doubt, as a constraint of the table says
    advance(session, ticket, event, actor, note, roles=roles)
    ticket.duplicate_of = ticket.review_reason = None
    restart_clock(session, ticket, actor)
    if in_doubt:
        advance(session, ticket, "doubt", actor, STILL_IN_DOUBT)
        ticket.identity = "doubted"
        if regime(ticket.regime).pausable:
            record_clock_event(session, ticket, "paused", actor, STILL_IN_DOUBT)


def _says_all(original: Ticket, ticket: Ticket) -> bool:
    """Whether all names, facts and photographs of `ticket` are in `original`; names by all keys, so rather not."""
    same_names = original.person_keys.issuperset(ticket.person_keys)
    return same_names and set(original.fact_index).issuperset(ticket.fact_index)


def _move(ticket: Ticket, event: Event, roles: Iterable[str], context: TransitionContext) -> None:
    """The only place where the state of a ticket changes (ADR 12)."""
    ticket.state = transition(ticket.state, event, roles, context)
    ticket.version += 1


def _stops_clock(state: str) -> bool:
    return state in (*CLOSED, "completed")


@dataclass(frozen=True)
class Receipt:
    """A ticket that has no row yet, the moment of its receipt, and its first event with a note on it."""

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
    """Insert new tickets in one statement, each moved from `received` by its first event: `advance` in bulk.

    Raises what `transition` raises: Conflict, Forbidden, ...
    """
    now, roles = utc_now(), tuple(roles)
    filed, leaves = [], []
    for receipt in receipts:
        ticket = receipt.ticket
        ticket.state, ticket.version = "received", 1
        history: list[tuple[str, str | None]] = [("received", None)]
        leaves.append(_state_leaf(ticket, actor))
        _move(ticket, receipt.event, roles, TransitionContext(Actor(actor, None)))
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
            [entry.ticket for entry in filed],
            [event for entry in filed for event in entry.events],
            [event for entry in filed for event in entry.clock_events],
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
    """Write an event of the ticket into its history and the log: by default, that it is now in its present state.

    Another `kind` names what else changed, such as `clock.paused` or `hold.set`. Webhooks receive `detail` too.
    """
    session.add(
        TicketEvent(
            ticket_id=ticket.id, at=utc_now(), actor=actor, state=ticket.state, note=note, kind=kind, detail=detail
        )
    )
    change = ticket.state if kind == "state" else kind
    append_leaf(session, actor, f"ticket.{change}", ticket.id, {"version": ticket.version})


def was_fitted(session: Session, ticket_id: str) -> bool:
    """Whether any eraser, or a refit that is under way, holds the ticket's fit."""
    version = select(VersionTicket.ticket_id).where(VersionTicket.ticket_id == ticket_id).limit(1)
    run = (
        select(RefitRunTicket.ticket_id)
        .join(RefitRun, RefitRun.id == RefitRunTicket.run_id)
        .where(RefitRunTicket.ticket_id == ticket_id, RefitRun.status.in_(("running", "waiting")))
        .limit(1)
    )
    return session.scalar(version) is not None or session.scalar(run) is not None


def tickets_in_force(session: Session, model_id: str) -> list[Ticket]:
    """All tickets that the next version has to cover, oldest first; those that are set aside are not among them."""
    query = select(Ticket).where(Ticket.model_id == model_id, Ticket.state.in_(IN_FORCE), ~_IS_SET_ASIDE)
    return list(session.scalars(query.order_by(Ticket.submitted_at, Ticket.id)))


def tickets_set_aside(session: Session, model_id: str) -> list[Ticket]:
    """The tickets because of which a version failed its audit, oldest first. None that must stay forgotten."""
    query = select(Ticket).where(Ticket.model_id == model_id, _IS_SET_ASIDE)
    return list(session.scalars(query.order_by(Ticket.submitted_at, Ticket.id)))


def reload_ticket(session: Session, ticket_id: str) -> Ticket:
    """The ticket as the database has it now, for a worker that looked it up before. The row must exist."""
    return session.get_one(Ticket, ticket_id)
