"""Lists of tickets by keyset: a page costs the same wherever it begins. The query plans are in docs/api.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.tickets import Ticket


@dataclass(frozen=True)
class DueFilter:
    """Which tickets by their due date. A ticket whose clock has stopped is never due."""

    after: datetime | None = None
    before: datetime | None = None
    overdue: bool | None = None  # a clock that is paused is never overdue

    @property
    def is_set(self) -> bool:
        """Whether anything is filtered by the due date."""
        return (self.after, self.before, self.overdue) != (None, None, None)

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as conditions on `Ticket`."""
        conditions: list[ColumnElement[bool]] = [Ticket.clock != "stopped", Ticket.due_at.is_not(None)]
        if self.after is not None:
            conditions.append(Ticket.due_at > self.after)
        if self.before is not None:
            conditions.append(Ticket.due_at < self.before)
        if self.overdue is True:
            conditions += [Ticket.clock == "running", Ticket.due_at < utc_now()]
        elif self.overdue is False:
            conditions.append(or_(Ticket.clock != "running", Ticket.due_at >= utc_now()))
        return conditions


@dataclass(frozen=True)
class TicketQuery:
    """One page of tickets.

    `subjects` are keys of names (`KeyRing.person_keys`), of which a ticket has at least one. `after` is the place of
    the last row of the page before: (submitted_at, id), or (due_at, id) with a filter on the due date.
    """

    state: str | None = None
    urgent: bool | None = None
    submitted_before: datetime | None = None
    source: str | None = None
    assigned_to: UUID | Literal["nobody"] | None = None
    external_ref: str | None = None
    subjects: Sequence[str] = ()
    due: DueFilter = DueFilter()
    after: tuple[datetime, str] | None = None
    limit: int = 50


def search(session: Session, tenant: str, query: TicketQuery) -> list[Ticket]:
    """The tickets of the tenant that match: newest first, or with a filter on the due date, what is due first."""
    tickets = select(Ticket).where(Ticket.tenant_id == tenant)
    if query.state is not None:
        tickets = tickets.where(Ticket.state == query.state)
    if query.urgent is not None:
        tickets = tickets.where(Ticket.urgent.is_(query.urgent))
    if query.submitted_before is not None:
        tickets = tickets.where(Ticket.submitted_at < query.submitted_before)
    if query.source is not None:
        tickets = tickets.where(Ticket.source == query.source)
    if query.assigned_to == "nobody":
        tickets = tickets.where(Ticket.assigned_to.is_(None))
    elif query.assigned_to is not None:
        tickets = tickets.where(Ticket.assigned_to == query.assigned_to)
    if query.external_ref is not None:
        tickets = tickets.where(Ticket.external_ref == query.external_ref)
    if query.subjects:
        keys = list(query.subjects)
        tickets = tickets.where(or_(Ticket.name_keys.overlap(keys), Ticket.subject_index.overlap(keys)))
    if query.due.is_set:
        tickets = tickets.where(*query.due.conditions())
        if query.after is not None:
            tickets = tickets.where(tuple_(Ticket.due_at, Ticket.id) > tuple_(*query.after))
        return list(session.scalars(tickets.order_by(Ticket.due_at, Ticket.id).limit(query.limit)))
    if query.after is not None:
        tickets = tickets.where(tuple_(Ticket.submitted_at, Ticket.id) < tuple_(*query.after))
    return list(session.scalars(tickets.order_by(Ticket.submitted_at.desc(), Ticket.id.desc()).limit(query.limit)))


def count_by_state(session: Session, tenant: str) -> dict[str, int]:
    """How many tickets of the tenant are in each state; a state that none is in has no entry."""
    counts = select(Ticket.state, func.count()).where(Ticket.tenant_id == tenant).group_by(Ticket.state)
    return dict(session.execute(counts).all())


def count_assigned(session: Session, tenant: str, person_id: UUID) -> int:
    """How many tickets whose clock has not stopped are assigned to the person."""
    own = select(func.count()).where(Ticket.tenant_id == tenant, Ticket.assigned_to == person_id)
    return int(session.scalar(own.where(Ticket.clock != "stopped")) or 0)
