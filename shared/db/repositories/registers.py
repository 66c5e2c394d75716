"""What a regulator asks for: the register of requests, and key figures over a period. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, select, tuple_
from sqlalchemy.orm import Session

from shared.db.models.tickets import Ticket
from shared.db.models.transparency import Certificate

ENDED: Final = ("completed", "rejected", "withdrawn", "duplicate", "expired")
_DAY_S: Final = 86_400.0


@dataclass(frozen=True)
class RegisterEntry:
    """One request with its newest certificate, where it has one."""

    ticket: Ticket
    certificate: Certificate | None


def list_requests(
    session: Session,
    tenant: str,
    since: datetime | None,
    until: datetime | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[RegisterEntry]:
    """Tickets filed in [since, until), oldest first. `after` is the (submitted_at, id) of the last one before."""
    newest = (
        select(Certificate.ticket_id, func.max(Certificate.number).label("number"))
        .group_by(Certificate.ticket_id)
        .subquery()
    )
    query = (
        select(Ticket, Certificate)
        .outerjoin(newest, newest.c.ticket_id == Ticket.id)
        .outerjoin(
            Certificate, and_(Certificate.ticket_id == newest.c.ticket_id, Certificate.number == newest.c.number)
        )
        .where(*_within(tenant, since, until))
    )
    if after is not None:
        query = query.where(tuple_(Ticket.submitted_at, Ticket.id) > tuple_(*after))
    rows = session.execute(query.order_by(Ticket.submitted_at, Ticket.id).limit(limit))
    return [RegisterEntry(ticket, certificate) for ticket, certificate in rows]


def key_figures(
    session: Session, tenant: str, since: datetime | None, until: datetime | None, now: datetime
) -> dict[str, Any]:
    """Of the tickets filed in [since, until): how many there are, how they were decided, and how fast.

    A median is taken over the tickets that reached that point.
    """
    granted = Ticket.ground.is_not(None)
    ended = Ticket.state.in_(ENDED)
    columns: dict[str, ColumnElement[Any]] = {
        "received": func.count(),
        "granted": _count(granted),
        "refused": _count(Ticket.state == "rejected"),
        "withdrawn": _count(Ticket.state == "withdrawn"),
        "duplicate": _count(Ticket.state == "duplicate"),
        "expired": _count(Ticket.state == "expired"),
        "completed": _count(Ticket.state == "completed"),
        "regressed": _count(Ticket.state == "regressed"),
        "open": _count(~ended),
        "median_days_to_decision": _median(Ticket.decided_at),
        "median_days_to_completion": _median(Ticket.required_since),
        "overdue": _count(and_(~ended, Ticket.due_at < now)),
        "completed_late": _count(Ticket.required_since > Ticket.due_at),
    }
    query = select(*(column.label(name) for name, column in columns.items())).where(*_within(tenant, since, until))
    figures = dict(session.execute(query).one()._mapping)
    refused = (
        select(Ticket.decision_code, func.count())
        .where(*_within(tenant, since, until), Ticket.state == "rejected")
        .group_by(Ticket.decision_code)
    )
    return figures | {"refused_by_code": {str(code): count for code, count in session.execute(refused)}}


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
    days = func.extract("epoch", until - Ticket.submitted_at) / _DAY_S
    return func.percentile_cont(0.5).within_group(days.asc())
