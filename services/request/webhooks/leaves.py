"""Messages about versions and audits, made from the leaves of the audit log."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.request.webhooks.service import enqueue, wants
from shared.db.models.audits import AuditRun
from shared.db.models.erasers import EraserVersion
from shared.db.models.tenancy import Model
from shared.db.models.transparency import LogLeaf
from shared.db.models.webhooks import Webhook, WebhookCursor

KINDS: Final = ("eraser.promoted", "eraser.rolled_back", "eraser.exposing", "audit.failed", "audit.nightly")


def collect_leaves(session: Session, cursor: WebhookCursor, hooks: Sequence[Webhook], before: datetime) -> bool:
    """Make messages of the leaves since the last round that were written `before`.

    Returns whether there are later ones: the id of a leaf may become visible after a higher one.
    """
    new = LogLeaf.id > cursor.last_leaf
    too_recent = session.scalar(select(func.min(LogLeaf.id)).where(new, LogLeaf.at >= before))
    settled = new if too_recent is None else new & (LogLeaf.id < too_recent)
    newest = session.scalar(select(func.max(LogLeaf.id)).where(settled))
    if newest is not None:
        for leaf in session.scalars(select(LogLeaf).where(settled, LogLeaf.kind.in_(KINDS)).order_by(LogLeaf.id)):
            _announce(session, leaf, hooks)
        cursor.last_leaf = newest
    return too_recent is not None


def _announce(session: Session, leaf: LogLeaf, hooks: Sequence[Webhook]) -> None:
    version = _version(session, leaf)
    if version is None:
        return
    tenant = session.get_one(Model, version.model_id).tenant_id
    data: dict[str, Any] = {"model": version.model_id, "version": version.number, "actor": leaf.actor} | leaf.detail
    for hook in hooks:
        if hook.tenant_id == tenant and wants(hook, leaf.kind):
            enqueue(session, hook, leaf.kind, data, leaf.at.isoformat())


def _version(session: Session, leaf: LogLeaf) -> EraserVersion | None:
    """The version that a leaf is about: named by model and number, or as the one that an audit asked."""
    if leaf.kind.startswith("audit."):
        run = session.get(AuditRun, uuid.UUID(leaf.subject))
        return session.get(EraserVersion, run.version_id) if run is not None else None
    model, _, number = leaf.subject.rpartition("/")
    named = EraserVersion.model_id == model, EraserVersion.number == int(number)
    return session.scalar(select(EraserVersion).where(*named))
