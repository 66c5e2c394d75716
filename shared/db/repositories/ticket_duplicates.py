"""Whether the same subject was filed before: tickets that share a name and a fact, by their keys and blind indexes.

The keys of names are `KeyRing.person_keys`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ARRAY, Text, bindparam, exists, func, literal, null, or_, select, union_all
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from shared.db.models.tickets import Ticket
from shared.domain.ticket_lifecycle import CLOSED

MOST_RELATED: Final = 50  # that are looked at
PHOTOGRAPH: Final = "photo:"  # begins the index of a photograph


@dataclass(frozen=True)
class EarlierTicket:
    """A ticket that is not closed, with the keys of its names and the blind indexes of its facts and photographs."""

    id: str
    names: frozenset[str]
    facts: frozenset[str]

    def matches(self, names: Collection[str], facts: Collection[str]) -> bool:
        """Whether it is about the same subject: one name and one fact are common to both."""
        return not (self.names.isdisjoint(names) or self.facts.isdisjoint(facts))

    def has_all(self, names: Iterable[Collection[str]], facts: Collection[str]) -> bool:
        """Whether it says everything already: each of `names`, by any of its keys, and all facts and photographs."""
        return self.facts.issuperset(facts) and not any(self.names.isdisjoint(keys) for keys in names)


@dataclass(frozen=True)
class EarlierTickets:
    """`matching` share a name and a fact with what was asked for, oldest first; `names` are in any open ticket."""

    matching: list[EarlierTicket]
    names: set[str]


def lock_subjects(session: Session, tenant: str, names: Sequence[str]) -> None:
    """Wait until nobody else files a subject with one of `names`, and keep others waiting until the transaction ends.

    `names` must be sorted, so that two transactions never wait for each other.
    """
    name = func.unnest(_texts("names", names)).column_valued("name")
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(literal(f"{tenant}/") + name, 0))))


def find_earlier_tickets(
    session: Session, tenant: str, model_id: str, names: Sequence[str], facts: Sequence[str]
) -> EarlierTickets:
    """The open tickets that share a name and a fact with `names` and `facts`, and which `names` any open ticket has.

    Call it under `lock_subjects`, in a statement of its own: it then sees what earlier holders of the lock wrote.
    """
    is_open = (Ticket.tenant_id == tenant, Ticket.model_id == model_id, Ticket.state.not_in(CLOSED))
    wanted, name = _texts("names", names), func.unnest(_texts("names", names)).column_valued("name")
    keys = Ticket.name_keys.op("||")(Ticket.subject_index)
    matching = select(Ticket.id, Ticket.submitted_at, keys, Ticket.fact_index).where(
        *is_open,
        or_(Ticket.name_keys.overlap(wanted), Ticket.subject_index.overlap(wanted)),
        Ticket.fact_index.overlap(_texts("facts", facts)),
    )
    known = select(null(), null(), func.array_agg(name, type_=ARRAY(Text)), null()).where(
        exists().where(
            *is_open, or_(Ticket.name_keys.contains(array([name])), Ticket.subject_index.contains(array([name])))
        )
    )
    # One round trip for both questions: the row without an id lists the known names.
    rows: Sequence[Any] = session.execute(union_all(matching, known)).all()
    tickets = sorted((row for row in rows if row[0] is not None), key=lambda row: (row[1], row[0]))
    return EarlierTickets(
        [EarlierTicket(row[0], frozenset(row[2]), frozenset(row[3])) for row in tickets],
        {text for row in rows if row[0] is None for text in row[2] or ()},
    )


def lock_open_tickets(session: Session, ids: Collection[str]) -> set[str]:
    """Those of the tickets that are still open; they stay so until the transaction ends."""
    still = select(Ticket.id).where(Ticket.id.in_(ids), Ticket.state.not_in(CLOSED)).order_by(Ticket.id)
    return set(session.scalars(still.with_for_update(read=True))) if ids else set()


def photograph_index(index: str) -> str:
    """How a photograph stands among the facts of a ticket, by its blind index."""
    return f"{PHOTOGRAPH}{index}"


def _texts(name: str, values: Sequence[str]) -> object:
    return bindparam(name, list(values), ARRAY(Text))


@dataclass(frozen=True)
class RelatedTicket:
    """Another ticket with a name in common, which both may spell in the same way, and how many facts both have."""

    id: str
    same_spelling: bool
    shared_facts: int


def related_tickets(session: Session, ticket: Ticket, limit: int) -> list[RelatedTicket]:
    """The tickets that share a name with `ticket`, those with most facts in common first, then the newest.

    Names and facts are compared by their keys and blind indexes: nobody learns which they are.
    """
    keys, names = list(ticket.name_keys), list(ticket.subject_index)
    sharing = (
        select(Ticket.id, Ticket.subject_index, Ticket.fact_index)
        .where(Ticket.tenant_id == ticket.tenant_id, Ticket.id != ticket.id)
        .where(or_(Ticket.name_keys.overlap(keys), Ticket.subject_index.overlap(names)))
        .order_by(Ticket.submitted_at.desc())
        .limit(MOST_RELATED)
    )
    related = []
    for row in session.execute(sharing):
        common = set(ticket.fact_index).intersection(row.fact_index)
        photographs = sum(index.startswith(PHOTOGRAPH) for index in common)
        same_spelling = not set(names).isdisjoint(row.subject_index)
        related.append(RelatedTicket(row.id, same_spelling, len(common) - photographs))
    return sorted(related, key=lambda other: -other.shared_facts)[:limit]
