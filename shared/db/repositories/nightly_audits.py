"""Nightly audits of the served version: ordered once a night, carried out ticket by ticket, and what they say."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import exists, or_, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.core.task_names import QUEUE_AUDIT, TASK_AUDIT
from shared.db.models.audits import AuditRun
from shared.db.models.erasers import EraserVersion, VersionTicket
from shared.db.models.operations import Outbox
from shared.db.repositories import leases
from shared.db.repositories.audits import CANDIDATE
from shared.db.repositories.leases import FINAL
from shared.domain.nightly import nightly_audit_id

NIGHTLY: Final = "nightly"
RECENT: Final = timedelta(days=2)  # versions for whose audit a nightly one gives way
REMEMBERED: Final = timedelta(days=60)  # results of tickets; each ticket is asked about again before


def order_nightly_audit(session: Session, version: EraserVersion, run_date: date) -> uuid.UUID | None:
    """Order the nightly audit of that date for `version`; None where its model's was ordered before, by whomever."""
    order = nightly_audit_id(version.model_id, run_date)
    if session.get(AuditRun, order) is not None:
        return None
    return session.scalar(_order(order, version).on_conflict_do_nothing().returning(Outbox.id))


def order_audit_now(session: Session, version: EraserVersion) -> uuid.UUID:
    """Order a nightly audit of `version` beside those of the nights. Returns the id that the audit will have."""
    order = uuid.uuid4()
    session.execute(_order(order, version))
    return order


def is_under_way(session: Session, version: EraserVersion) -> bool:
    """Whether a nightly audit of `version` was ordered and has not ended."""
    own = Outbox.kwargs["version"].astext == str(version.id), Outbox.kwargs["kind"].astext == NIGHTLY
    ended = exists().where(AuditRun.id == Outbox.id, AuditRun.status.in_(FINAL))
    return bool(session.scalar(select(exists().where(Outbox.task == TASK_AUDIT, *own, ~ended))))


def _order(order: uuid.UUID, version: EraserVersion) -> Insert:
    kwargs = {"audit": str(order), "version": str(version.id), "kind": NIGHTLY}
    return insert(Outbox).values(
        id=order, queue=QUEUE_AUDIT, task=TASK_AUDIT, kwargs=kwargs, created_at=utc_now(), attempts=0
    )


def begun_report(session: Session, audit_id: str) -> dict[str, Any]:
    """What an audit that was interrupted has found so far; empty for one that begins."""
    return dict(session.scalar(select(AuditRun.report).where(AuditRun.id == uuid.UUID(audit_id))) or {})


def keep_report(session: Session, audit_id: str, fence: int, report: Mapping[str, Any], lease_s: float) -> None:
    """Keep what was found so far, and prolong the lease. Raises Conflict where the lease is lost."""
    results = {
        ticket: {"passed": row["passed"], "reason": row["reason"]} for ticket, row in report["ticket_verdicts"].items()
    }
    values = {"report": dict(report), "ticket_results": results, "lease_until": leases.lease_end(lease_s)}
    leases.update_fenced(session, AuditRun, audit_id, fence, **values)


def candidate_waits(session: Session) -> bool:
    """Whether a version of any tenant waits for its audit, which no worker carries out at this moment."""
    now = utc_now()
    taken = exists().where(
        AuditRun.version_id == EraserVersion.id,
        AuditRun.kind == CANDIDATE,
        or_(AuditRun.status.in_(FINAL), AuditRun.lease_until > now),
    )
    return bool(session.scalar(select(exists().where(EraserVersion.created_at > now - RECENT, ~taken))))


def newest(session: Session, model_id: str) -> tuple[AuditRun, int] | None:
    """The newest nightly audit of the model with the number of its version; None where there was none."""
    query = (
        select(AuditRun, EraserVersion.number)
        .join(EraserVersion, EraserVersion.id == AuditRun.version_id)
        .where(EraserVersion.model_id == model_id, AuditRun.kind == NIGHTLY)
        .order_by(AuditRun.started_at.desc())
        .limit(1)
    )
    found = session.execute(query).first()
    return (found[0], found[1]) if found is not None else None


@dataclass(frozen=True)
class NightlyResult:
    """What the newest nightly audit that asked about a ticket found of it, and of which version that was."""

    version: int
    asked_at: datetime
    passed: bool
    reason: str


def newest_results(session: Session, model_id: str) -> dict[str, NightlyResult]:
    """The newest result of each ticket that a nightly audit has asked about, also of one that goes on."""
    query = (
        select(EraserVersion.number, AuditRun.started_at, AuditRun.ticket_results)
        .join(EraserVersion, EraserVersion.id == AuditRun.version_id)
        .where(EraserVersion.model_id == model_id, AuditRun.ticket_results.is_not(None))
        .where(AuditRun.started_at > utc_now() - REMEMBERED)
        .order_by(AuditRun.started_at)
    )
    return {
        ticket: NightlyResult(number, started_at, result["passed"], result["reason"])
        for number, started_at, results in session.execute(query)
        for ticket, result in (results or {}).items()
    }


def standing_results(session: Session, served: EraserVersion) -> dict[str, NightlyResult]:
    """Of each ticket of the `served` version the newest result, where it is about the same fit and statistics.

    A version with another fit of a ticket has to be asked anew: what an earlier one told says nothing about it.
    """
    fits, statistics = _fits(session, served.id), served.manifest.get("statistics")
    same: dict[int, dict[str, str]] = {}  # number of a version -> its fits, as far as they stand
    standing = {}
    for ticket, result in newest_results(session, served.model_id).items():
        if result.version not in same:
            number = EraserVersion.model_id == served.model_id, EraserVersion.number == result.version
            version = session.scalars(select(EraserVersion).where(*number)).one()
            known = version.manifest.get("statistics") == statistics
            same[result.version] = _fits(session, version.id) if known else {}
        if ticket in fits and same[result.version].get(ticket) == fits[ticket]:
            standing[ticket] = result
    return standing


def _fits(session: Session, version_id: uuid.UUID) -> dict[str, str]:
    rows = session.scalars(select(VersionTicket).where(VersionTicket.version_id == version_id))
    return {row.ticket_id: row.rows_sha256 for row in rows}
