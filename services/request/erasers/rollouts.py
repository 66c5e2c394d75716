"""Questions about what is served: whether a generation is rolled out, and which version covers everybody."""

from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.audits import AuditRun
from shared.db.models.erasers import EraserVersion, Replica
from shared.db.repositories import rollouts

CLOCK_SKEW: Final = timedelta(seconds=2)  # allowed between our clock and that of a replica


def is_rolled_out(session: Session, generation: int, model_id: str) -> bool:
    """Whether every replica that may be alive serves `generation` or a newer one.

    A replica may be alive until its lease has run out, plus the skew of clocks.
    """
    alive = select(Replica).where(Replica.model_id == model_id, Replica.lease_until > utc_now() - CLOCK_SKEW)
    return all(replica.state == "serving" and replica.generation >= generation for replica in session.scalars(alive))


def newest_covering(session: Session, model_id: str) -> EraserVersion | None:
    """The newest version that passed its audit and covers everybody who must stay forgotten."""
    passed = select(AuditRun.version_id).where(AuditRun.verdict == "passed")
    versions = select(EraserVersion).where(EraserVersion.model_id == model_id, EraserVersion.id.in_(passed))
    for version in session.scalars(versions.order_by(EraserVersion.number.desc())):
        if not rollouts.uncovered_tickets(session, model_id, version.id):
            return version
    return None
