"""Audits of eraser versions: order, claim, renew and finish. Every write of a worker carries its fence (leases.py).

The audit of a candidate decides whether it may be promoted. The nightly audit asks more about the version that is
served, and has no verdict (repositories/nightly_audits.py).
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Text, cast, exists, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.core.task_names import QUEUE_AUDIT, TASK_AUDIT
from shared.db.models.audits import AuditRun
from shared.db.models.erasers import EraserVersion, VersionTicket
from shared.db.models.operations import Outbox
from shared.db.repositories import leases
from shared.db.repositories.audit_log import append_leaf
from shared.db.repositories.leases import FINAL, Claim

CANDIDATE: Final = "candidate"
IN_FULL: Final = ("changed", "asked_again")  # depths of a ticket in an audit: everything was asked


def order_audit(session: Session, version_id: uuid.UUID) -> uuid.UUID:
    """Order an audit of the version in the caller's transaction. Returns the id that the audit will have."""
    order = uuid.uuid4()
    session.add(
        Outbox(
            id=order,
            queue=QUEUE_AUDIT,
            task=TASK_AUDIT,
            kwargs={"audit": str(order), "version": str(version_id)},
            created_at=utc_now(),
            attempts=0,
        )
    )
    return order


def claim_audit(
    session: Session, audit_id: str, version_id: str, *, lease_s: float, kind: str = CANDIDATE
) -> Claim | None:
    """Claim the audit, with a new row where it has none; None where another worker holds it."""
    new = {"version_id": uuid.UUID(version_id), "kind": kind}
    return leases.claim(session, AuditRun, audit_id, lease_s=lease_s, new=new, stage="claimed", progress=None)


def renew_lease(
    session: Session,
    audit_id: str,
    fence: int,
    lease_s: float,
    *,
    stage: str,
    progress: Mapping[str, Any] | None = None,
) -> None:
    """Prolong the lease and write how far the audit is. Raises Conflict where the lease is lost."""
    values = {"stage": stage, "progress": dict(progress) if progress else None}
    leases.update_fenced(session, AuditRun, audit_id, fence, lease_until=leases.lease_end(lease_s), **values)


def finish_audit(
    session: Session,
    audit_id: str,
    fence: int,
    *,
    status: str,
    verdict: str | None = None,
    reasons: Sequence[str] = (),
    report: dict[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Write the result, and a log leaf where there is a verdict; the status `waiting` leaves it for another try.

    Raises Conflict where the lease is lost.
    """
    values: dict[str, Any] = {"status": status, "verdict": verdict, "reasons": list(reasons), "error": error}
    values |= {"report": report, "lease_until": None}
    if status in FINAL:
        values["finished_at"] = utc_now()
    leases.update_fenced(session, AuditRun, audit_id, fence, **values)
    if verdict is not None:
        append_leaf(session, "audit", f"audit.{verdict}", audit_id, {"reasons": list(reasons)})


def recent_audits(session: Session, model_id: str, limit: int) -> list[tuple[AuditRun, int]]:
    """The newest audits of the model's versions, each with the number of its version, the newest first."""
    query = (
        select(AuditRun, EraserVersion.number)
        .join(EraserVersion, EraserVersion.id == AuditRun.version_id)
        .where(EraserVersion.model_id == model_id)
        .order_by(AuditRun.started_at.desc())
        .limit(limit)
    )
    return [(run, number) for run, number in session.execute(query)]


def unclaimed_orders(session: Session, model_id: str) -> list[tuple[int, datetime]]:
    """The audits that were ordered and that no worker has taken: of which version, and when; oldest first."""
    query = (
        select(EraserVersion.number, Outbox.created_at)
        .join(EraserVersion, cast(EraserVersion.id, Text) == Outbox.kwargs["version"].astext)
        .where(Outbox.task == TASK_AUDIT, EraserVersion.model_id == model_id)
        .where(~exists().where(AuditRun.id == Outbox.id))
    )
    return [(number, at) for number, at in session.execute(query.order_by(Outbox.created_at))]


def list_audits(session: Session, version_id: uuid.UUID) -> list[AuditRun]:
    """The audits of the version as a candidate, newest first."""
    query = select(AuditRun).where(AuditRun.version_id == version_id, AuditRun.kind == CANDIDATE)
    return list(session.scalars(query.order_by(AuditRun.started_at.desc())))


@dataclass(frozen=True)
class FullFigures:
    """What the last audit that asked about a ticket in full found of it (`ticket_verdicts` in its report)."""

    version: int
    finished_at: datetime
    row: dict[str, Any]


def last_full_figures(session: Session, ticket_id: str) -> FullFigures | None:
    """Of the newest audit that passed and asked about the ticket in full; None where no report says that it did.

    A version in which nothing changed for a ticket asks about it a little.
    """
    row = AuditRun.report["ticket_verdicts"][ticket_id]
    query = (
        select(EraserVersion.number, AuditRun.finished_at, row)
        .join(EraserVersion, EraserVersion.id == AuditRun.version_id)
        .join(VersionTicket, VersionTicket.version_id == EraserVersion.id)
        .where(VersionTicket.ticket_id == ticket_id, AuditRun.verdict == "passed", AuditRun.finished_at.is_not(None))
        .where(row["depth"].as_string().in_(IN_FULL))
        .order_by(AuditRun.finished_at.desc())
        .limit(1)
    )
    found = session.execute(query).first()
    return FullFigures(found[0], found[1], dict(found[2])) if found is not None else None


def newest_leaks(session: Session, ticket_id: str) -> list[dict[str, Any]]:
    """What the newest audit that asked about the ticket brought out, by kind of question; empty without an audit.

    Nightly audits are among them.
    """
    newest = (
        select(AuditRun.report["ticket_verdicts"][ticket_id]["leaks"])
        .join(VersionTicket, VersionTicket.version_id == AuditRun.version_id)
        .where(VersionTicket.ticket_id == ticket_id, AuditRun.report["ticket_verdicts"].has_key(ticket_id))
        .order_by(AuditRun.started_at.desc())
        .limit(1)
    )
    return list(session.scalar(newest) or [])


@dataclass(frozen=True)
class VersionResults:
    """What the newest audit of a version says, as far as versions are compared by it."""

    version: int
    verdict: str | None
    panels: dict[str, Any]
    tickets: dict[str, Any]


def results_of_versions(session: Session, model_id: str, up_to: int, most: int) -> list[VersionResults]:
    """The results of the version `up_to` and of those before it, the newest first; `most` versions at most."""
    query = (
        select(EraserVersion.number, AuditRun.verdict, AuditRun.report["panels"], AuditRun.report["ticket_verdicts"])
        .join(AuditRun, AuditRun.version_id == EraserVersion.id)
        .where(EraserVersion.model_id == model_id, EraserVersion.number <= up_to)
        .where(AuditRun.kind == CANDIDATE, AuditRun.report.is_not(None))
        .ext(distinct_on(EraserVersion.number))
        .order_by(EraserVersion.number.desc(), AuditRun.started_at.desc())
        .limit(most)
    )
    return [VersionResults(row[0], row[1], row[2] or {}, row[3] or {}) for row in session.execute(query)]
