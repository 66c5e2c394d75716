"""What a regulator asks for: the register of requests, and key figures over a period. Reads only.

A request is answered when it is completed or refused. It is late where it was answered after its last day, or was not
answered by then while its clock ran. Days count from the receipt, as the law's period does.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Integer,
    LargeBinary,
    and_,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import Session

from shared.db.models.tickets import Ticket, TicketClock, TicketEvent
from shared.db.models.transparency import Certificate

ENDED: Final = ("completed", "rejected", "withdrawn", "duplicate", "expired")
BY_REGIME: Final = ("received", "open", "answered_in_time", "overdue", "completed_late", "refused_late")
STATES: Final = ("withdrawn", "duplicate", "expired", "completed", "regressed")
MARKS: Final = ("granted", "answered_in_time", "overdue", "completed_late", "refused_late")
_DAY_S: Final = 86_400.0

_Group = dict[str, Any]  # tickets that are alike: their keys, how many they are, and the seconds that they took


@dataclass(frozen=True)
class RegisterEntry:
    """One request with its newest certificate, where it has one.

    `completed_at` and `refused_at` are the first moments of these states, also of a request that left them since.
    """

    ticket: Ticket
    certificate: Certificate | None
    extended: bool
    completed_at: datetime | None
    refused_at: datetime | None
    late: bool


def list_requests(
    session: Session,
    tenant: str,
    since: datetime | None,
    until: datetime | None,
    after: tuple[datetime, str] | None,
    limit: int,
    now: datetime,
) -> list[RegisterEntry]:
    """Tickets filed in [since, until), oldest first. `after` is the (submitted_at, id) of the last one before."""
    newest = (
        select(Certificate.ticket_id, func.max(Certificate.number).label("number"))
        .group_by(Certificate.ticket_id)
        .subquery()
    )
    extended = exists().where(TicketClock.ticket_id == Ticket.id, TicketClock.kind == "extended")
    query = (
        select(Ticket, Certificate, extended, _first("completed"), _first("rejected"), late(now))
        .outerjoin(newest, newest.c.ticket_id == Ticket.id)
        .outerjoin(
            Certificate, and_(Certificate.ticket_id == newest.c.ticket_id, Certificate.number == newest.c.number)
        )
        .where(*_within(tenant, since, until))
    )
    if after is not None:
        query = query.where(tuple_(Ticket.submitted_at, Ticket.id) > tuple_(*after))
    rows = session.execute(query.order_by(Ticket.submitted_at, Ticket.id).limit(limit))
    return [
        RegisterEntry(ticket, certificate, is_extended, completed, refused, bool(is_late))
        for ticket, certificate, is_extended, completed, refused, is_late in rows
    ]


def late(now: datetime) -> ColumnElement[bool]:
    """Whether a request was answered after its last day, or is not answered although that day has passed."""
    return or_(_overdue(now), _refused_late(), _completed_late())


def key_figures(
    session: Session, tenant: str, since: datetime | None, until: datetime | None, now: datetime
) -> dict[str, Any]:
    """Of the tickets filed in [since, until): how many there are, how they were decided, and how fast.

    One query reads every ticket, in several processes of the database where it chooses to. It counts by few keys, whose
    groups are added up here, and collects the seconds that the requests took, 4 bytes each: to count each figure and to
    sort the seconds in the database took longer (docs/LOG.md).
    """
    within = _within(tenant, since, until)
    keys: dict[str, ColumnElement[Any]] = {
        "regime": Ticket.regime.expression,
        "state": Ticket.state.expression,
        "granted": Ticket.ground.is_not(None),
        "answered_in_time": _answered_in_time(),
        "overdue": _overdue(now),
        "completed_late": _completed_late(),
        "refused_late": _refused_late(),
    }
    columns = [column.label(name) for name, column in keys.items()]
    seconds = _seconds(Ticket.decided_at).label("to_decision"), _seconds(Ticket.required_since).label("to_completion")
    query = select(*columns, func.count().label("tickets"), *seconds).where(*within)
    groups = [dict(row._mapping) for row in session.execute(query.group_by(*keys))]
    laws: defaultdict[str, list[_Group]] = defaultdict(list)
    for group in groups:
        laws[group["regime"]].append(group)
    refused = (
        select(Ticket.decision_code, func.count())
        .where(*within, Ticket.state == "rejected")
        .group_by(Ticket.decision_code)
    )
    return {
        **_counts(groups),
        **_days(groups),
        "refused_by_code": {str(code): count for code, count in session.execute(refused)},
        "by_regime": {
            law: {name: count for name, count in _counts(own).items() if name in BY_REGIME} | _days(own)
            for law, own in laws.items()
        },
    }


def _counts(groups: Sequence[_Group]) -> dict[str, int]:
    states: Counter[str] = Counter()
    for group in groups:
        states[group["state"]] += group["tickets"]
    return {
        "received": states.total(),
        "refused": states["rejected"],
        "open": sum(count for state, count in states.items() if state not in ENDED),
        **{state: states[state] for state in STATES},
        **{name: sum(group["tickets"] for group in groups if group[name]) for name in MARKS},
    }


def _overdue(now: datetime) -> ColumnElement[bool]:
    return and_(Ticket.clock == "running", Ticket.state.not_in(ENDED), Ticket.due_at < now)


def _completed_late() -> ColumnElement[bool]:
    return Ticket.required_since > Ticket.due_at


def _refused_late() -> ColumnElement[bool]:
    return and_(Ticket.state == "rejected", Ticket.decided_at > Ticket.due_at)


def _answered_in_time() -> ColumnElement[bool]:
    completed = Ticket.required_since <= Ticket.due_at
    return or_(completed, and_(Ticket.state == "rejected", Ticket.decided_at <= Ticket.due_at))


def _first(state: str) -> Any:
    """When the request was first in that state."""
    moments = TicketEvent.ticket_id == Ticket.id, TicketEvent.kind == "state", TicketEvent.state == state
    return select(func.min(TicketEvent.at)).where(*moments).scalar_subquery()


def _within(tenant: str, since: datetime | None, until: datetime | None) -> Sequence[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [Ticket.tenant_id == tenant]
    if since is not None:
        conditions.append(Ticket.submitted_at >= since)
    if until is not None:
        conditions.append(Ticket.submitted_at < until)
    return conditions


def _seconds(end: Any) -> ColumnElement[bytes]:
    """The seconds from receipt to `end` of each ticket that has it, as big-endian 32-bit numbers in no order."""
    spent = func.int4send(cast(func.date_part("epoch", end - Ticket.received_at), Integer))
    return func.string_agg(spent, literal(b"", LargeBinary), type_=LargeBinary).filter(end.is_not(None))


def _days(groups: Sequence[_Group]) -> dict[str, float | None]:
    """How many days it took to decide, and to complete, those of the tickets that were."""

    def share(name: str, part: float) -> float | None:
        spent = np.frombuffer(b"".join(group[name] or b"" for group in groups), ">i4")
        return float(np.quantile(spent, part)) / _DAY_S if spent.size else None

    return {
        "median_days_to_decision": share("to_decision", 0.5),
        "median_days_to_completion": share("to_completion", 0.5),
        "p95_days_to_completion": share("to_completion", 0.95),
    }
