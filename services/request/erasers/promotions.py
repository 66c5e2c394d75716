"""Automatic promotion: the newest version that passed its audit is served."""

import logging
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.models.audits import AuditRun
from shared.db.models.erasers import EraserVersion
from shared.db.repositories import audits as audits_repository
from shared.db.repositories import rollouts
from shared.domain.accounts import SYSTEM_ACTOR

logger = logging.getLogger(__name__)


def promote_passed(session: Session, model_id: str) -> None:
    """Promote the newest version that passed its audit, where it is newer than the promoted one.

    A version from which a person rolled back is not promoted again.
    """
    newest = session.scalar(
        select(EraserVersion)
        .join(AuditRun, AuditRun.version_id == EraserVersion.id)
        .where(EraserVersion.model_id == model_id, AuditRun.verdict == "passed")
        .order_by(EraserVersion.number.desc())
        .limit(1)
    )
    state = rollouts.desired_state(session, model_id, lock=True)
    if newest is None or (state is not None and state.version_id == newest.id):
        return
    if state is not None:
        current = session.get_one(EraserVersion, state.version_id)
        if newest.number < current.number or was_rolled_back_from(session, newest, state.changed_at):
            return
    rollouts.set_desired_state(session, state, newest, "automatic", SYSTEM_ACTOR)
    logger.info("version %d is promoted", newest.number)


def was_rolled_back_from(session: Session, version: EraserVersion, changed_at: datetime) -> bool:
    """Whether `version` had passed its audit before the desired state was last changed, at `changed_at`.

    Where another version is served by then, a person went back from this one, which stands until a newer version comes.
    """
    audits = audits_repository.list_audits(session, version.id)
    passed = [audit.finished_at for audit in audits if audit.verdict == "passed" and audit.finished_at]
    return bool(passed) and min(passed) < changed_at
