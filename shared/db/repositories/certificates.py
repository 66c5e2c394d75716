"""Certificates of suppression: the newest of a ticket, and which tickets need a new one."""

import uuid
from typing import Final

from sqlalchemy import Uuid, bindparam, select, text
from sqlalchemy.orm import Session

from shared.db.models.transparency import Certificate, LogLeaf
from shared.db.repositories.audit_log import newest_checkpoint

DISPOSAL_KINDS: Final = ("payload.destroyed", "payload.removed", "kit.destroyed", "kit.removed", "rows.destroyed")

# A ticket needs a certificate where it is no longer completed and is still certified; or where it is completed and
# covered by the served version, and has no certificate, a suspended one or one for another version; or where something
# of it was destroyed since its certificate. "Since" is decided by positions in the log, not by times, because the times
# of rows are taken before they are committed: a certificate lists every disposal below its own checkpoint, so that
# whatever stands between that checkpoint and the newest one is new, exactly once.
_NEEDS_CERTIFICATE = text(
    "SELECT ticket.id FROM ticket LEFT JOIN LATERAL (SELECT status, version_id, log_size FROM certificate "
    "  WHERE certificate.ticket_id = ticket.id ORDER BY number DESC LIMIT 1) AS held ON true "
    "LEFT JOIN LATERAL (SELECT held.status IS NOT NULL AND EXISTS (SELECT 1 FROM log_leaf "
    "    WHERE log_leaf.subject = ticket.id AND log_leaf.kind IN :disposal_kinds "
    "      AND log_leaf.position >= coalesce(held.log_size, 0) AND log_leaf.position < :signed) AS is) AS news ON true "
    "WHERE ticket.model_id = :model AND ((ticket.state = 'completed' AND EXISTS (SELECT 1 FROM version_ticket "
    "    WHERE version_ticket.version_id = :version AND version_ticket.ticket_id = ticket.id) "
    "    AND (held.status IS NULL OR held.status = 'suspended' OR held.version_id <> :version OR news.is)) "
    "  OR (ticket.state <> 'completed' AND (held.status = 'in_force' OR news.is))) "
    "ORDER BY ticket.state = 'completed', ticket.id LIMIT :limit"
).bindparams(bindparam("version", type_=Uuid), bindparam("disposal_kinds", DISPOSAL_KINDS, expanding=True))


def newest_certificate(session: Session, ticket_id: str) -> Certificate | None:
    """The certificate that stands for the ticket: the one with the highest number."""
    query = select(Certificate).where(Certificate.ticket_id == ticket_id)
    return session.scalar(query.order_by(Certificate.number.desc()).limit(1))


def tickets_to_certify(session: Session, model_id: str, version_id: uuid.UUID, limit: int) -> list[str]:
    """Ids of the tickets whose newest certificate no longer says what is true; `version_id` is the served version."""
    newest = newest_checkpoint(session)
    values = {"model": model_id, "version": version_id, "limit": limit, "signed": newest.size if newest else 0}
    return list(session.scalars(_NEEDS_CERTIFICATE, values))


def disposal_leaves(session: Session, ticket_id: str, size: int) -> list[LogLeaf]:
    """The leaves below `size` that say what of the ticket was destroyed, in order."""
    query = select(LogLeaf).where(
        LogLeaf.subject == ticket_id, LogLeaf.kind.in_(DISPOSAL_KINDS), LogLeaf.position < size
    )
    return list(session.scalars(query.order_by(LogLeaf.position)))
