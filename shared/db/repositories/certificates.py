"""Newest certificate; who needs one."""

import uuid

from sqlalchemy import Uuid, bindparam, select, text
from sqlalchemy.orm import Session

from shared.db.models.transparency import Certificate, LogLeaf
from shared.db.repositories.audit_log import newest_checkpoint

DISPOSED = ("payload.destroyed", "payload.removed", "kit.destroyed", "kit.removed", "rows.destroyed")


def newest_certificate(session: Session, ticket_id: str) -> Certificate | None:
    """The one that stands for the ticket."""
    found = select(Certificate).where(Certificate.ticket_id == ticket_id)
    return session.scalar(found.order_by(Certificate.number.desc()).limit(1))


# Not completed any more and still certified; or completed, covered by what is served, and either not certified,
# suspended or certified for another version; or certified, and something of it was destroyed since. "Since" is told by
# places in the log, not by times: a certificate tells all that stands under its own checkpoint, so that whatever stands
# between that and the newest checkpoint is news, once. (Times of rows are taken before they are committed.)
_UNCERTIFIED = text(
    "SELECT ticket.id FROM ticket LEFT JOIN LATERAL (SELECT status, version_id, log_size FROM certificate "
    "  WHERE certificate.ticket_id = ticket.id ORDER BY number DESC LIMIT 1) AS held ON true "
    "LEFT JOIN LATERAL (SELECT held.status IS NOT NULL AND EXISTS (SELECT 1 FROM log_leaf "
    "    WHERE log_leaf.subject = ticket.id AND log_leaf.kind IN ('payload.destroyed', 'payload.removed', "
    "        'kit.destroyed', 'kit.removed', 'rows.destroyed') "
    "      AND log_leaf.position >= coalesce(held.log_size, 0) AND log_leaf.position < :signed) AS is) AS news ON true "
    "WHERE ticket.model_id = :model AND ((ticket.state = 'completed' AND EXISTS (SELECT 1 FROM version_ticket "
    "    WHERE version_ticket.version_id = :version AND version_ticket.ticket_id = ticket.id) "
    "    AND (held.status IS NULL OR held.status = 'suspended' OR held.version_id <> :version OR news.is)) "
    "  OR (ticket.state <> 'completed' AND (held.status = 'in_force' OR news.is))) "
    "ORDER BY ticket.state = 'completed', ticket.id LIMIT :limit"
).bindparams(bindparam("version", type_=Uuid))


def to_certify(session: Session, model_id: str, version_id: uuid.UUID, limit: int) -> list[str]:
    """Tickets whose certificate does not say what is so."""
    newest = newest_checkpoint(session)
    values = {"model": model_id, "version": version_id, "limit": limit, "signed": newest.size if newest else 0}
    return list(session.scalars(_UNCERTIFIED, values))


def disposals(session: Session, ticket_id: str, size: int) -> list[LogLeaf]:
    """The leaves below `size` that say what of the ticket was destroyed, in order."""
    found = select(LogLeaf).where(LogLeaf.subject == ticket_id, LogLeaf.kind.in_(DISPOSED), LogLeaf.position < size)
    return list(session.scalars(found.order_by(LogLeaf.position)))
