"""Wraps every data key anew under the newest wrapping key, after a rotation or a move to Vault. Touches no payload.

An order is a row; the clerk works at it in batches, each one transaction with its place, so that it goes on where it
was after a crash or while Vault is away. It passes over everything again until a pass finds nothing to do: processes
that were not restarted yet still wrap under the old key. Each change is made only where the wrapped key is still the
one that was read: a key that is destroyed meanwhile stays destroyed. What it cannot reach: copies in backups, which the
old key opens for as long as somebody has it.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.core.clock import utc_now
from shared.db.models.operations import KeyRotation
from shared.db.repositories import audit_log
from shared.errors import Conflict, NotFound


def order(session: Session, principal: Principal) -> KeyRotation:
    """Order it; raises Conflict while another one is under way."""
    if session.scalar(select(KeyRotation.id).where(KeyRotation.finished_at.is_(None))) is not None:
        raise Conflict("A rewrap is under way: let it end.")
    made = KeyRotation(
        id=uuid.uuid4(), asked_by=principal.owner, asked_at=utc_now(), place=0, passes=0, done=0, total=0, rewrapped=0
    )
    made.seen, made.before, made.unreadable = {}, {}, []
    session.add(made)
    session.flush()
    audit_log.append_leaf(session, principal.owner, "keys.rewrap_ordered", str(made.id), {})
    return made


def get(session: Session, rewrap_id: uuid.UUID) -> KeyRotation:
    """Raises NotFound."""
    found = session.get(KeyRotation, rewrap_id)
    if found is None:
        raise NotFound("There is no such rewrap.")
    return found


def view(job: KeyRotation) -> dict[str, Any]:
    """As it is shown. `in_use` and `no_longer_used` are known at the end."""
    ended = job.finished_at is not None
    in_use: Mapping[str, int] = job.seen
    return {
        "id": str(job.id),
        "state": "finished" if ended else "running" if job.target else "waiting",
        "asked_by": job.asked_by,
        "asked_at": job.asked_at,
        "finished_at": job.finished_at,
        "key": job.target,
        "passes": job.passes,
        "done": job.done,
        "total": job.total,
        "rewrapped": job.rewrapped,
        "before": job.before or job.seen,
        "in_use": dict(in_use) if ended else None,
        "no_longer_used": sorted(set(job.before) - set(in_use)) if ended else None,
        "unreadable": job.unreadable[:100],
    }
