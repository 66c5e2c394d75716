"""Tickets looked for: lists by keyset (a page costs the same wherever it stands; plans: docs/api.md), earlier ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select, tuple_
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.tickets import Ticket


@dataclass(frozen=True)
class Due:
    """Which tickets by what is due: only those whose clock has not stopped are due at all."""

    after: datetime | None = None
    before: datetime | None = None
    overdue: bool | None = None  # a clock that is paused is never overdue

    @property
    def asked(self) -> bool:
        """Whether there is such a filter."""
        return (self.after, self.before, self.overdue) != (None, None, None)

    def conditions(self) -> list[ColumnElement[bool]]:
        """For a query over tickets."""
        found: list[ColumnElement[bool]] = [Ticket.clock != "stopped", Ticket.due_at.is_not(None)]
        if self.after is not None:
            found.append(Ticket.due_at > self.after)
        if self.before is not None:
            found.append(Ticket.due_at < self.before)
        if self.overdue is True:
            found += [Ticket.clock == "running", Ticket.due_at < utc_now()]
        elif self.overdue is False:
            found.append(or_(Ticket.clock != "running", Ticket.due_at >= utc_now()))
        return found


def page(
    session: Session,
    tenant: str,
    *,
    state: str | None = None,
    urgent: bool | None = None,
    before: datetime | None = None,
    source: str | None = None,
    subjects: Sequence[str] = (),
    due: Due = Due(),
    after: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> list[Ticket]:
    """Newest first, after the row whose (submitted_at, id) is `after`; `subjects` are blind indexes, any of them.

    With a due filter what is due first comes first, and `after` is (due_at, id).
    """
    query = select(Ticket).where(Ticket.tenant_id == tenant)
    if state is not None:
        query = query.where(Ticket.state == state)
    if urgent is not None:
        query = query.where(Ticket.urgent.is_(urgent))
    if before is not None:
        query = query.where(Ticket.submitted_at < before)
    if source is not None:
        query = query.where(Ticket.source == source)
    if subjects:
        query = query.where(Ticket.subject_index.overlap(list(subjects)))
    if due.asked:
        query = query.where(*due.conditions())
        if after is not None:
            query = query.where(tuple_(Ticket.due_at, Ticket.id) > tuple_(*after))
        return list(session.scalars(query.order_by(Ticket.due_at, Ticket.id).limit(limit)))
    if after is not None:
        query = query.where(tuple_(Ticket.submitted_at, Ticket.id) < tuple_(*after))
    return list(session.scalars(query.order_by(Ticket.submitted_at.desc(), Ticket.id.desc()).limit(limit)))
