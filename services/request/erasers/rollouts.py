"""Is it rolled out; newest covering version."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.audits import AuditRun
from shared.db.models.erasers import EraserVersion, Replica
from shared.db.repositories import rollouts

SKEW = timedelta(seconds=2)  # between our clock and a replica's


def is_rolled_out(session: Session, generation: int, model_id: str) -> bool:
    """Whether no replica whose lease (and the skew of clocks) has not run out serves an older generation."""
    alive = select(Replica).where(Replica.model_id == model_id, Replica.lease_until > utc_now() - SKEW)
    return all(one.state == "serving" and one.generation >= generation for one in session.scalars(alive))


def newest_covering(session: Session, model_id: str) -> EraserVersion | None:
    """The newest version that passed its audit and covers everybody who must stay forgotten."""
    passed = select(AuditRun.version_id).where(AuditRun.verdict == "passed")
    found = select(EraserVersion).where(EraserVersion.model_id == model_id, EraserVersion.id.in_(passed))
    for version in session.scalars(found.order_by(EraserVersion.number.desc())):
        if not rollouts.uncovered_tickets(session, model_id, version.id):
            return version
    return None
