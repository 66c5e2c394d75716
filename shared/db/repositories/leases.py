"""Leases on refits and audits: one worker carries out a run at a time.

Every claim raises the run's fence by one, and every write of a worker carries the fence of its claim. A worker that
was given up for dead can therefore write nothing over the work of its successor.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.audits import AuditRun
from shared.db.models.refits import RefitRun
from shared.errors import Conflict

FINAL: Final = ("succeeded", "nothing_to_do", "failed")
Run = TypeVar("Run", RefitRun, AuditRun)


@dataclass(frozen=True)
class Claim:
    """The right to carry out a run, until somebody claims it with a higher `fence`."""

    fence: int
    already_done: bool = False


def claim(
    session: Session, table: type[Run], run_id: str, *, lease_s: float, new: Mapping[str, Any], **claimed: Any
) -> Claim | None:
    """Claim the run for `lease_s` seconds.

    `new` are the values of a run that has no row yet, `claimed` are the values that a successful claim sets. Returns
    None where another worker holds the lease, or where a unique constraint keeps the new row out.
    """
    now = utc_now()
    first = {"id": uuid.UUID(run_id), "status": "waiting", "attempt": 0, "fence": 0, "started_at": now}
    session.execute(insert(table).values(**first, **new).on_conflict_do_nothing())
    run = session.scalar(select(table).where(table.id == uuid.UUID(run_id)).with_for_update())
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
    for name, value in claimed.items():
        setattr(run, name, value)
    return Claim(run.fence)


def update_fenced(session: Session, table: type[Run], run_id: str, fence: int, **values: Any) -> None:
    """Write `values` into the run; without values, only check the lease. Raises Conflict where the lease is lost."""
    updated = session.execute(
        update(table)
        .where(table.id == uuid.UUID(run_id), table.fence == fence, table.status == "running")
        .values(**{"fence": fence, **values})
        .returning(table.id)
    ).first()
    if updated is None:
        kind = "Refit" if table is RefitRun else "Audit"
        raise Conflict(f"{kind} {run_id} is in other hands.")


def lease_end(lease_s: float) -> datetime:
    """When a lease that is renewed now runs out."""
    return utc_now() + timedelta(seconds=lease_s)
