"""The log's rows: leaves that wait for a place, hashes in order, checkpoints, certificates. Signs nothing."""

import uuid
from collections.abc import Sequence

from sqlalchemy import LargeBinary, Uuid, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT
from sqlalchemy.orm import Session

from shared.db.models import Certificate, LogCheckpoint, LogLeaf, LogTimestamp
from shared.log.leaf import encode
from shared.log.tree import Tree

DISPOSED = ("payload.destroyed", "payload.removed", "kit.destroyed", "kit.removed", "rows.destroyed")
SEQUENCER = 0x4C41_4355_4E41_4C47  # the advisory lock of whoever gives places: "LACUNALG"
_PLACE = text(
    "UPDATE log_leaf SET position = given.position, leaf_hash = given.leaf_hash "
    "FROM unnest(:ids, :positions, :hashes) AS given(id, position, leaf_hash) WHERE log_leaf.id = given.id"
).bindparams(
    bindparam("ids", type_=ARRAY(BIGINT)),
    bindparam("positions", type_=ARRAY(BIGINT)),
    bindparam("hashes", type_=ARRAY(LargeBinary)),
)


def only_sequencer(session: Session) -> bool:
    """Whether this transaction is the one that gives places; the others come back later."""
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(SEQUENCER))))


def waiting(session: Session, limit: int) -> list[LogLeaf]:
    """Leaves without a place, oldest first. A slow transaction's leaf gets its place when it is committed."""
    return list(session.scalars(select(LogLeaf).where(LogLeaf.position.is_(None)).order_by(LogLeaf.id).limit(limit)))


def line(leaf: LogLeaf) -> bytes:
    """The canonical bytes of a leaf."""
    return encode(leaf.id, leaf.at, leaf.actor, leaf.kind, leaf.subject, leaf.detail)


def place(session: Session, ids: Sequence[int], first: int, hashes: Sequence[bytes]) -> None:
    """Give the leaves `ids` the places from `first` on."""
    positions = list(range(first, first + len(ids)))
    session.execute(_PLACE, {"ids": list(ids), "positions": positions, "hashes": list(hashes)})


def extend(session: Session, tree: Tree, size: int | None = None) -> None:
    """Add the hashes that `tree` does not know yet, up to `size` leaves."""
    found = select(LogLeaf.leaf_hash).where(LogLeaf.position >= tree.size).order_by(LogLeaf.position)
    if size is not None:
        found = found.where(LogLeaf.position < size)
    for value in session.scalars(found.execution_options(yield_per=10_000)):
        tree.append(bytes(value or b""))


def placed(session: Session) -> int:
    """How many leaves have a place."""
    newest = session.scalar(select(func.max(LogLeaf.position)))
    return 0 if newest is None else newest + 1


def leaves(session: Session, start: int, limit: int) -> list[LogLeaf]:
    """Leaves in order, from place `start` on."""
    found = select(LogLeaf).where(LogLeaf.position >= start).order_by(LogLeaf.position).limit(limit)
    return list(session.scalars(found))


def newest_leaf(session: Session, kind: str, subject: str) -> LogLeaf | None:
    """The newest of that kind about `subject`, placed or not."""
    found = select(LogLeaf).where(LogLeaf.subject == subject, LogLeaf.kind == kind)
    return session.scalar(found.order_by(LogLeaf.id.desc()).limit(1))


def newest_checkpoint(session: Session) -> LogCheckpoint | None:
    """The largest."""
    return session.scalar(select(LogCheckpoint).order_by(LogCheckpoint.size.desc()).limit(1))


def checkpoints(session: Session, after: int, limit: int) -> list[LogCheckpoint]:
    """Checkpoints larger than `after`, in order."""
    found = select(LogCheckpoint).where(LogCheckpoint.size > after).order_by(LogCheckpoint.size).limit(limit)
    return list(session.scalars(found))


def newest_timestamp(session: Session) -> LogTimestamp | None:
    """The one on the largest checkpoint."""
    return session.scalar(select(LogTimestamp).order_by(LogTimestamp.size.desc()).limit(1))


def timestamps(session: Session, after: int, limit: int) -> list[LogTimestamp]:
    """Tokens on checkpoints larger than `after`, in order."""
    found = select(LogTimestamp).where(LogTimestamp.size > after).order_by(LogTimestamp.size).limit(limit)
    return list(session.scalars(found))


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
