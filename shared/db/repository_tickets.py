"""Tickets looked for: lists by keyset (a page costs the same wherever it stands; plans: docs/api.md), earlier ones."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    bindparam,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from shared.clock import utc_now
from shared.db.models import Ticket
from shared.lifecycle import OVER


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


@dataclass(frozen=True)
class Earlier:
    """A ticket that is not over: the blind indexes of its names and facts."""

    id: str
    names: frozenset[str]
    facts: frozenset[str]

    def same(self, names: Collection[str], facts: Collection[str]) -> bool:
        """Whether it speaks of the same: one name and one fact in common."""
        return not (self.names.isdisjoint(names) or self.facts.isdisjoint(facts))


def lock_subjects(session: Session, tenant: str, names: Sequence[str]) -> None:
    """Wait until nobody else files one of these subjects, and keep others waiting until the transaction ends.

    `names` are sorted, so that two who wait for each other's names do not wait for ever.
    """
    name = func.unnest(_texts("names", names)).column_valued("name")
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(literal(f"{tenant}/") + name, 0))))


def filed_before(
    session: Session, tenant: str, model_id: str, names: Sequence[str], facts: Sequence[str]
) -> tuple[list[Earlier], set[str]]:
    """Tickets that are not over and share a name and a fact, the oldest first; which of `names` any of them has.

    To be asked under `lock_subjects`, in a statement of its own: it sees what those who held the lock before wrote.
    """
    mine = (Ticket.tenant_id == tenant, Ticket.model_id == model_id, Ticket.state.not_in(OVER))
    asked, name = _texts("names", names), func.unnest(_texts("names", names)).column_valued("name")
    same = select(Ticket.id, Ticket.submitted_at, Ticket.subject_index, Ticket.fact_index).where(
        *mine, Ticket.subject_index.overlap(asked), Ticket.fact_index.overlap(_texts("facts", facts))
    )
    known = select(null(), null(), func.array_agg(name, type_=ARRAY(Text)), null()).where(
        exists().where(*mine, Ticket.subject_index.contains(array([name])))
    )
    found: Sequence[Any] = session.execute(union_all(same, known)).all()
    earlier = sorted((one for one in found if one[0] is not None), key=lambda one: (one[1], one[0]))
    every = {text for one in found if one[0] is None for text in one[2] or ()}
    return [Earlier(one[0], frozenset(one[2]), frozenset(one[3])) for one in earlier], every


def _texts(name: str, values: Sequence[str]) -> object:
    return bindparam(name, list(values), ARRAY(Text))
