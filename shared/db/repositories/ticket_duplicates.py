"""Same subject filed before."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, Text, bindparam, exists, func, literal, null, select, union_all
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from shared.db.models.tickets import Ticket
from shared.domain.ticket_lifecycle import OVER


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
