"""Whether the same subject was filed before: tickets that share a name and a fact, by their keys and blind indexes.

A ticket without names is about the person in its photographs: it is compared by these alone. The keys of names are
`KeyRing.person_keys`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Boolean,
    CompoundSelect,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    column,
    exists,
    func,
    null,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from shared.db.models.tickets import Ticket
from shared.domain.ticket_lifecycle import CLOSED

MOST_RELATED: Final = 50  # that are looked at
MANY_NAMES: Final = 50  # from here on a plan is made for them: one for any number of names may compare all with all
PHOTOGRAPH: Final = "photo:"  # begins the index of a photograph
PUBLIC_FORM: Final = "public-form"  # the source of tickets that anybody may file
_PLANNED_ANEW: Final = text("SET LOCAL plan_cache_mode = force_custom_plan")


@dataclass(frozen=True)
class EarlierTicket:
    """A ticket that is not closed, with the keys of its names and the blind indexes of its facts and photographs.

    `unproved`: anybody may have filed it, by the public form, and nobody has verified who it was.
    """

    id: str
    names: frozenset[str]
    facts: frozenset[str]
    unproved: bool = False

    def matches(self, names: Collection[str], facts: Collection[str]) -> bool:
        """Whether it is about the same subject: one name, and one fact or photograph, are common to both.

        Where one of them has no name, a common photograph is enough.
        """
        if self.names and names:
            return not (self.names.isdisjoint(names) or self.facts.isdisjoint(facts))
        return any(map(is_photograph, self.facts.intersection(facts)))

    def has_all(self, names: Iterable[Collection[str]], facts: Collection[str]) -> bool:
        """Whether it says everything already: each of `names`, by any of its keys, and all facts and photographs."""
        return self.facts.issuperset(facts) and not any(self.names.isdisjoint(keys) for keys in names)


@dataclass(frozen=True)
class EarlierTickets:
    """`matching` may be about the same people as what was filed, oldest first.

    `names` are in any open ticket.
    """

    matching: list[EarlierTicket]
    names: set[str]


@dataclass(frozen=True)
class Filed:
    """What is filed together: all keys of names and all indexes of facts and photographs.

    `alone` are the photographs of tickets without a name, which are compared by these alone. Those of a ticket with a
    name count only against one without: many people may come with one photograph, such as a placeholder.
    """

    names: Sequence[str]
    facts: Sequence[str]
    alone: Collection[str]

    @property
    def photographs(self) -> list[str]:
        """All indexes of photographs."""
        return list(filter(is_photograph, self.facts))


def lock_subjects(session: Session, tenant: str, filed: Filed) -> None:
    """Wait until nobody else files one of these subjects, and keep others waiting until the transaction ends.

    Tickets with names do not wait for each other because of a photograph. All locks are taken in one order, so that two
    transactions never wait for each other.
    """
    keys = sorted({*filed.names, *filed.photographs})
    shared = [is_photograph(key) and key not in filed.alone for key in keys]
    session.execute(_locks(), {"keys": keys, "shared": shared, "of_tenant": f"{tenant}/"})


@cache
def _locks() -> Select[Any]:
    """The statement of `lock_subjects`, built once: to build it takes longer than to carry it out."""
    columns = (column("key", Text), column("shared", Boolean))
    flags = bindparam("shared", type_=ARRAY(Boolean))
    each = func.unnest(_texts("keys"), flags).table_valued(*columns).render_derived()
    number = func.hashtextextended(bindparam("of_tenant", type_=Text) + each.c.key, 0)
    lock = case(
        (each.c.shared, cast(func.pg_advisory_xact_lock_shared(number), Text)),
        else_=cast(func.pg_advisory_xact_lock(number), Text),
    )
    return select(lock)


def find_earlier_tickets(session: Session, tenant: str, model_id: str, filed: Filed) -> EarlierTickets:
    """The open tickets that may be about the same people as what is filed (`EarlierTicket.matches` tells which are).

    Also which of the names any open ticket has.

    Call it under `lock_subjects`, in a statement of its own: it then sees what earlier holders of the lock wrote.
    """
    wanted = {"names": filed.names, "facts": filed.facts, "photographs": filed.photographs}
    values = {name: list(texts) for name, texts in wanted.items()} | {"alone": sorted(filed.alone)}
    if len(filed.names) > MANY_NAMES:
        session.execute(_PLANNED_ANEW)
    # One round trip for both questions: the row without an id lists the known names.
    rows: Sequence[Any] = session.execute(_earlier(), values | {"of_tenant": tenant, "of_model": model_id}).all()
    different = {row[0]: row for row in rows if row[0] is not None}.values()  # one may come by several names
    return EarlierTickets(
        [
            EarlierTicket(row[0], frozenset(row[2]), frozenset(row[3]), row[4])
            for row in sorted(different, key=lambda row: (row[1], row[0]))
        ],
        {name for row in rows if row[0] is None for name in row[2] or ()},
    )


@cache
def _earlier() -> CompoundSelect[Any]:
    """The statement of `find_earlier_tickets`."""
    of_model = Ticket.tenant_id == bindparam("of_tenant"), Ticket.model_id == bindparam("of_model")
    is_open = (*of_model, Ticket.state.not_in(CLOSED))
    name = func.unnest(_texts("names")).column_valued("name")
    has_name = or_(Ticket.name_keys.contains(array([name])), Ticket.subject_index.contains(array([name])))
    nameless = and_(func.cardinality(Ticket.name_keys) == 0, func.cardinality(Ticket.subject_index) == 0)
    keys = Ticket.name_keys.op("||")(Ticket.subject_index)
    unproved = and_(Ticket.source == PUBLIC_FORM, Ticket.state == "identity_pending")
    columns = select(Ticket.id, Ticket.submitted_at, keys, Ticket.fact_index, unproved).where(*is_open)
    # Name by name, from an index: to compare the names of every ticket with the hundreds of an import takes seconds.
    by_name = columns.where(has_name, Ticket.fact_index.overlap(_texts("facts")))
    by_photograph = columns.where(
        or_(
            and_(nameless, Ticket.fact_index.overlap(_texts("photographs"))),
            Ticket.fact_index.overlap(_texts("alone")),
        )
    )
    known = select(null(), null(), func.array_agg(name, type_=ARRAY(Text)), null(), null()).where(
        exists().where(*is_open, has_name)
    )
    return union_all(by_name, by_photograph, known)


def lock_open_tickets(session: Session, ids: Collection[str]) -> set[str]:
    """Those of the tickets that are still open; they stay so until the transaction ends."""
    still = select(Ticket.id).where(Ticket.id.in_(ids), Ticket.state.not_in(CLOSED)).order_by(Ticket.id)
    return set(session.scalars(still.with_for_update(read=True))) if ids else set()


def photograph_index(index: str) -> str:
    """How a photograph stands among the facts of a ticket, by its blind index."""
    return f"{PHOTOGRAPH}{index}"


def is_photograph(index: str) -> bool:
    """Whether it is the index of a photograph, among the facts of a ticket."""
    return index.startswith(PHOTOGRAPH)


def _texts(name: str) -> BindParameter[Any]:
    return bindparam(name, type_=ARRAY(Text))


@dataclass(frozen=True)
class RelatedTicket:
    """Another ticket with a name or a photograph in common, and how many facts and photographs both have.

    `shared_name`: both spell it in the `same` way or in `another`; None where only photographs are common.
    """

    id: str
    shared_name: Literal["same", "another"] | None
    shared_facts: int
    shared_photographs: int


def related_tickets(session: Session, ticket: Ticket, limit: int) -> list[RelatedTicket]:
    """The tickets that share a name or a photograph with `ticket`, those with most in common first, then the newest.

    Names and facts are compared by their keys and blind indexes: nobody learns which they are.
    """
    keys, names = list(ticket.name_keys), list(ticket.subject_index)
    photographs = list(filter(is_photograph, ticket.fact_index))
    sharing = (
        select(Ticket.id, Ticket.subject_index, Ticket.name_keys, Ticket.fact_index)
        .where(Ticket.tenant_id == ticket.tenant_id, Ticket.id != ticket.id)
        .where(
            or_(
                Ticket.name_keys.overlap(keys),
                Ticket.subject_index.overlap(names),
                Ticket.fact_index.overlap(bindparam("photographs", photographs, ARRAY(Text))),
            )
        )
        .order_by(Ticket.submitted_at.desc())
        .limit(MOST_RELATED)
    )
    related = []
    for row in session.execute(sharing):
        common = set(ticket.fact_index).intersection(row.fact_index)
        shown = sum(map(is_photograph, common))
        related.append(RelatedTicket(row.id, _shared_name(ticket, row), len(common) - shown, shown))
    return sorted(related, key=lambda other: -(other.shared_facts + other.shared_photographs))[:limit]


def _shared_name(ticket: Ticket, row: Any) -> Literal["same", "another"] | None:
    if not set(ticket.subject_index).isdisjoint(row.subject_index):
        return "same"
    return None if set(ticket.name_keys).isdisjoint(row.name_keys) else "another"
