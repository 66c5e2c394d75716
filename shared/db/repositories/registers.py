"""What a regulator asks for: the register of requests, and key figures over a period. Reads only.

A request is answered when it is completed or refused. It is late where it was answered after its last day, or was not
answered by then while its clock ran.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session

from shared.db.models.tickets import Ticket, TicketClock, TicketEvent
from shared.db.models.transparency import Certificate

ENDED: Final = ("completed", "rejected", "withdrawn", "duplicate", "expired")
BY_REGIME: Final = ("received", "open", "answered_in_time", "overdue", "completed_late", "refused_late")
_DAY_S: Final = 86_400.0


@dataclass(frozen=True)
class RegisterEntry:
    """One request with its newest certificate, where it has one.

    `completed_at` and `refused_at` are the first moments of these states, also of a request that left them since.
    """

    ticket: Ticket
    certificate: Certificate | None
    received_at: datetime
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
    clock = select(func.min(TicketClock.at)).where(TicketClock.ticket_id == Ticket.id, TicketClock.kind == "received")
    extended = exists().where(TicketClock.ticket_id == Ticket.id, TicketClock.kind == "extended")
    query = (
        select(
            Ticket, Certificate, clock.scalar_subquery(), extended, _first("completed"), _first("rejected"), late(now)
        )
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
        RegisterEntry(
            ticket, certificate, received or ticket.submitted_at, is_extended, completed, refused, bool(is_late)
        )
        for ticket, certificate, received, is_extended, completed, refused, is_late in rows
    ]


def late(now: datetime) -> ColumnElement[bool]:
    """Whether a request was answered after its last day, or is not answered although that day has passed."""
    return or_(_overdue(now), _refused_late(), _completed_late())


def key_figures(
    session: Session, tenant: str, since: datetime | None, until: datetime | None, now: datetime
) -> dict[str, Any]:
    """Of the tickets filed in [since, until): how many there are, how they were decided, and how fast.

    A median is taken over the tickets that reached that point.
    """
    within = _within(tenant, since, until)
    counted: dict[str, ColumnElement[int]] = {
        "received": func.count(),
        "granted": func.count(Ticket.ground),
        "refused": _count(Ticket.state == "rejected"),
        "withdrawn": _count(Ticket.state == "withdrawn"),
        "duplicate": _count(Ticket.state == "duplicate"),
        "expired": _count(Ticket.state == "expired"),
        "completed": _count(Ticket.state == "completed"),
        "regressed": _count(Ticket.state == "regressed"),
        "open": _count(Ticket.state.not_in(ENDED)),
        "answered_in_time": _count(_answered_in_time()),
        "overdue": _count(_overdue(now)),
        "completed_late": _count(_completed_late()),
        "refused_late": _count(_refused_late()),
    }
    by_law = select(Ticket.regime, *(column.label(name) for name, column in counted.items())).where(*within)
    laws = [dict(row._mapping) for row in session.execute(by_law.group_by(Ticket.regime))]
    medians = select(
        _median(Ticket.decided_at).label("median_days_to_decision"),
        _median(Ticket.required_since).label("median_days_to_completion"),
    ).where(*within)
    refused = (
        select(Ticket.decision_code, func.count())
        .where(*within, Ticket.state == "rejected")
        .group_by(Ticket.decision_code)
    )
    return {
        **{name: sum(law[name] for law in laws) for name in counted},
        **session.execute(medians).one()._mapping,
        "refused_by_code": {str(code): count for code, count in session.execute(refused)},
        "by_regime": {law["regime"]: {name: law[name] for name in BY_REGIME} for law in laws},
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


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


def _median(until: Any) -> ColumnElement[Any]:
    """The median of days from the filing. `extract` would give numerics, which sort far slower."""
    days = func.date_part("epoch", until - Ticket.submitted_at) / _DAY_S
    return func.percentile_cont(0.5).within_group(days.asc())
