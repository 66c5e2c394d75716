"""The audit log: append leaves, give them their positions, read leaves, checkpoints and time-stamps. Signs nothing.

A leaf is its tenant's, whose transaction appended it (shared/db/tenants.py); one that a transaction of the installation
appended is the operating tenant's. Whose it is decides who may read it, and is no part of what is hashed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import LargeBinary, bindparam, func, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.bulk_insert import bulk_insert
from shared.db.models.base import Base
from shared.db.models.transparency import LogCheckpoint, LogLeaf, LogTimestamp
from shared.db.tenants import tenant_of
from shared.transparency.leaves import encode
from shared.transparency.merkle_tree import Tree

SEQUENCER_LOCK: Final = 0x4C41_4355_4E41_4C47  # advisory lock of the one sequencer: "LACUNALG"
_ASSIGN_POSITIONS = text(
    "UPDATE log_leaf SET position = given.position, leaf_hash = given.leaf_hash "
    "FROM unnest(:ids, :positions, :hashes) AS given(id, position, leaf_hash) WHERE log_leaf.id = given.id"
).bindparams(
    bindparam("ids", type_=ARRAY(BIGINT)),
    bindparam("positions", type_=ARRAY(BIGINT)),
    bindparam("hashes", type_=ARRAY(LargeBinary)),
)


@dataclass(frozen=True)
class NewLeaf:
    """The content of a leaf that is not written yet: who did what to which subject."""

    actor: str
    kind: str
    subject: str
    detail: dict[str, Any]


def append_leaf(
    session: Session, actor: str, kind: str, subject: str, detail: dict[str, Any], *, tenant: str | None = None
) -> None:
    """Append a leaf to the log, of `tenant` or of the tenant whose transaction it is.

    It has no position until the sequencer gives it one.
    """
    leaf = {"at": utc_now(), "actor": actor, "kind": kind, "subject": subject, "detail": detail}
    session.execute(insert(LogLeaf).values(**leaf, tenant_id=tenant or tenant_of(session)))


def append_leaves(
    session: Session,
    leaves: Sequence[NewLeaf],
    *,
    at: datetime | None = None,
    along_with: Sequence[Sequence[Base]] = (),
) -> None:
    """Append leaves in one statement, together with the rows of other tables that they are about.

    `along_with` has one sequence of rows for each table, as `bulk_insert` takes them.
    """
    now, tenant = at or utc_now(), tenant_of(session)
    rows = [
        LogLeaf(at=now, actor=each.actor, kind=each.kind, subject=each.subject, detail=each.detail, tenant_id=tenant)
        for each in leaves
    ]
    bulk_insert(session, *along_with, rows)


def try_sequencer_lock(session: Session) -> bool:
    """Whether this transaction may assign positions; while another one does, it may not."""
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(SEQUENCER_LOCK))))


def unsequenced(session: Session, limit: int) -> list[LogLeaf]:
    """Leaves without a position, oldest first. The leaf of a slow transaction appears once it is committed."""
    return list(session.scalars(select(LogLeaf).where(LogLeaf.position.is_(None)).order_by(LogLeaf.id).limit(limit)))


def assign_positions(session: Session, ids: Sequence[int], first: int, hashes: Sequence[bytes]) -> None:
    """Give the leaves `ids` the positions from `first` on, and their hashes."""
    positions = list(range(first, first + len(ids)))
    session.execute(_ASSIGN_POSITIONS, {"ids": list(ids), "positions": positions, "hashes": list(hashes)})


def sequenced_count(session: Session) -> int:
    """How many leaves have a position."""
    newest = session.scalar(select(func.max(LogLeaf.position)))
    return 0 if newest is None else newest + 1


def leaf_bytes(leaf: LogLeaf) -> bytes:
    """The canonical bytes of a leaf: what is hashed and exported."""
    return encode(leaf.id, leaf.at, leaf.actor, leaf.kind, leaf.subject, leaf.detail)


def extend_tree(session: Session, tree: Tree, size: int | None = None) -> None:
    """Append the hashes that `tree` does not hold yet, up to `size` leaves in all."""
    query = select(LogLeaf.leaf_hash).where(LogLeaf.position >= tree.size).order_by(LogLeaf.position)
    if size is not None:
        query = query.where(LogLeaf.position < size)
    for leaf_hash in session.scalars(query.execution_options(yield_per=10_000)):
        tree.append(bytes(leaf_hash or b""))


def leaves(session: Session, start: int, limit: int) -> list[LogLeaf]:
    """Sequenced leaves in order, from position `start` on."""
    query = select(LogLeaf).where(LogLeaf.position >= start).order_by(LogLeaf.position).limit(limit)
    return list(session.scalars(query))


def newest_leaf(session: Session, kind: str, subject: str) -> LogLeaf | None:
    """The newest leaf of that kind about `subject`, sequenced or not."""
    query = select(LogLeaf).where(LogLeaf.subject == subject, LogLeaf.kind == kind)
    return session.scalar(query.order_by(LogLeaf.id.desc()).limit(1))


def newest_checkpoint(session: Session) -> LogCheckpoint | None:
    """The checkpoint at the largest size."""
    return session.scalar(select(LogCheckpoint).order_by(LogCheckpoint.size.desc()).limit(1))


def checkpoints(session: Session, after: int, limit: int) -> list[LogCheckpoint]:
    """Checkpoints at sizes above `after`, in order."""
    query = select(LogCheckpoint).where(LogCheckpoint.size > after).order_by(LogCheckpoint.size).limit(limit)
    return list(session.scalars(query))


def newest_timestamp(session: Session) -> LogTimestamp | None:
    """The time-stamp on the checkpoint at the largest size."""
    return session.scalar(select(LogTimestamp).order_by(LogTimestamp.size.desc()).limit(1))


def timestamps(session: Session, after: int, limit: int) -> list[LogTimestamp]:
    """Time-stamps on checkpoints at sizes above `after`, in order."""
    query = select(LogTimestamp).where(LogTimestamp.size > after).order_by(LogTimestamp.size).limit(limit)
    return list(session.scalars(query))
