"""What the audit service reads and writes."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.core.task_names import QUEUE_AUDIT, TASK_AUDIT
from shared.db.models.audits import AuditRun
from shared.db.models.operations import Outbox
from shared.db.repositories.audit_log import append_leaf
from shared.db.repositories.leases import Claim
from shared.errors import Conflict

FINAL = ("succeeded", "failed")


def order_audit(session: Session, version_id: uuid.UUID) -> uuid.UUID:
    """Order the audit of a version in the caller's transaction; the run will have this id."""
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


def claim_audit(session: Session, audit_id: str, version_id: str, *, lease_s: float) -> Claim | None:
    """Take the audit, making its row where it is new; None where it is in other hands."""
    now = utc_now()
    session.execute(
        insert(AuditRun)
        .values(
            id=uuid.UUID(audit_id),
            version_id=uuid.UUID(version_id),
            status="waiting",
            attempt=0,
            fence=0,
            started_at=now,
        )
        .on_conflict_do_nothing()
    )
    run = session.scalar(select(AuditRun).where(AuditRun.id == uuid.UUID(audit_id)).with_for_update())
    if run is None:
        return None
    if run.status in FINAL:
        return Claim(run.fence, already_done=True)
    if run.status == "running" and run.lease_until is not None and run.lease_until > now:
        return None
    run.status, run.error = "running", None
    run.attempt += 1
    run.fence += 1
    run.lease_until = now + timedelta(seconds=lease_s)
    return Claim(run.fence)


def heartbeat(session: Session, audit_id: str, fence: int, lease_s: float) -> None:
    """Prolong the lease; raises Conflict where it is lost."""
    _fenced(session, audit_id, fence, lease_until=utc_now() + timedelta(seconds=lease_s))


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
    """Write the verdict and its leaf, or leave the audit `waiting`; raises Conflict where the lease is lost."""
    values: dict[str, Any] = {"status": status, "verdict": verdict, "reasons": list(reasons), "error": error}
    values |= {"report": report, "lease_until": None}
    if status in FINAL:
        values["finished_at"] = utc_now()
    _fenced(session, audit_id, fence, **values)
    if verdict is not None:
        append_leaf(session, "audit", f"audit.{verdict}", audit_id, {"reasons": list(reasons)})


def _fenced(session: Session, audit_id: str, fence: int, **values: Any) -> None:
    changed = session.execute(
        update(AuditRun)
        .where(AuditRun.id == uuid.UUID(audit_id), AuditRun.fence == fence, AuditRun.status == "running")
        .values(**values)
        .returning(AuditRun.id)
    ).first()
    if changed is None:
        raise Conflict(f"Audit {audit_id} is in other hands.")


def audits_of(session: Session, version_id: uuid.UUID) -> list[AuditRun]:
    """Newest first."""
    found = select(AuditRun).where(AuditRun.version_id == version_id)
    return list(session.scalars(found.order_by(AuditRun.started_at.desc())))
