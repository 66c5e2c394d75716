"""Raises an alarm for each overdue check and clears it when the check is no longer overdue."""

import logging
import uuid
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.request.context import AlarmThresholds
from services.request.monitoring.checks import NAMES, OF_MODEL, find_overdue
from services.request.webhooks.service import enqueue, wants
from shared.core.clock import utc_now
from shared.db.models.operations import Alarm
from shared.db.models.webhooks import Webhook
from shared.db.repositories import audit_log, models
from shared.domain.accounts import OPERATING_TENANT, SYSTEM_ACTOR

logger = logging.getLogger(__name__)


def update_alarms(session: Session, model_id: str, thresholds: AlarmThresholds) -> None:
    """Raise the alarms that are new and clear those that are over. Each is recorded once, however many loops run.

    Alarms about the processes are the operating tenant's. One about the model of another tenant is that tenant's, and
    its name ends with the tenant: `inference/acme`.
    """
    tenant = models.tenant_of(session, model_id)
    own = OF_MODEL if tenant != OPERATING_TENANT else NAMES
    suffix = f"/{tenant}" if tenant != OPERATING_TENANT else ""
    found = (check for check in find_overdue(session, model_id, thresholds) if check.name in own)
    overdue = {check.name + suffix: replace(check, name=check.name + suffix) for check in found}
    for check in overdue.values():
        raised = session.execute(
            insert(Alarm)
            .values(id=uuid.uuid4(), name=check.name, sentence=check.sentence, raised_at=utc_now())
            .on_conflict_do_nothing()
            .returning(Alarm.id)
        ).first()
        if raised is not None:
            logger.error("alarm raised: %s", check.sentence)
            _record(session, model_id, "raised", raised.id, check.name, check.sentence)
    is_own = Alarm.name.endswith(suffix) if suffix else ~Alarm.name.contains("/")
    over = select(Alarm).where(Alarm.cleared_at.is_(None), is_own, Alarm.name.not_in(list(overdue)))
    for alarm in session.scalars(over.with_for_update(skip_locked=True)):
        alarm.cleared_at = utc_now()
        logger.warning("alarm cleared: %s", alarm.sentence)
        _record(session, model_id, "cleared", alarm.id, alarm.name, alarm.sentence)


def _record(session: Session, model_id: str, what: str, alarm: uuid.UUID, name: str, sentence: str) -> None:
    audit_log.append_leaf(session, SYSTEM_ACTOR, f"alarm.{what}", name, {"alarm": str(alarm)})
    tenant = models.tenant_of(session, model_id)
    hooks = select(Webhook).where(Webhook.tenant_id == tenant, Webhook.disabled_at.is_(None))
    for hook in session.scalars(hooks):
        if wants(hook, f"alarm.{what}"):
            data = {"alarm": name, "model": model_id, "sentence": sentence}
            enqueue(session, hook, f"alarm.{what}", data, utc_now().isoformat())
