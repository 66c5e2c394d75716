"""Orders the nightly audit: the deep part, of the version that is served. Knows no HTTP."""

import logging
import uuid
from datetime import date

from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.db.models.erasers import EraserVersion
from shared.db.models.tenancy import Model
from shared.db.repositories import audit_log, erasers, nightly_audits, rollouts
from shared.domain.accounts import SYSTEM_ACTOR
from shared.domain.nightly import scheduled_at
from shared.errors import Conflict

logger = logging.getLogger(__name__)


def order_now(session: Session, principal: Principal, model_id: str) -> tuple[uuid.UUID, EraserVersion]:
    """Order a nightly audit of the version that is served; return the id of the order and the version.

    Raises Conflict where no version with tickets is served, or one that was ordered has not ended.
    """
    version = _served(session, model_id)
    if version is None:
        raise Conflict("No version that covers a ticket is served.")
    if nightly_audits.is_under_way(session, version):
        raise Conflict(f"A nightly audit of version {version.number} is under way.")
    order = nightly_audits.order_audit_now(session, version)
    detail = {"order": str(order), "version": version.number}
    audit_log.append_leaf(session, principal.owner, "audit.ordered", model_id, detail)
    return order, version


def order_due(session: Session, model_id: str, hour: int, night: date) -> uuid.UUID | None:
    """Order the audit of that night, due at `hour` (UTC), where a version with tickets is served; None otherwise.

    None too where it was ordered before, and for a night before the model was known.
    """
    model, version = session.get(Model, model_id), _served(session, model_id)
    if model is None or version is None or model.created_at > scheduled_at(night, hour):
        return None
    order = nightly_audits.order_nightly_audit(session, version, night)
    if order is not None:
        detail = {"order": str(order), "night": night.isoformat(), "version": version.number}
        audit_log.append_leaf(session, SYSTEM_ACTOR, "audit.ordered", model_id, detail)
        logger.info("the nightly audit of version %d is ordered", version.number)
    return order


def _served(session: Session, model_id: str) -> EraserVersion | None:
    """The version that is to be served, where it covers a ticket."""
    state = rollouts.desired_state(session, model_id, lock=True)
    if state is None or not erasers.covered_ticket_ids(session, state.version_id):
        return None
    return session.get_one(EraserVersion, state.version_id)
