"""The log's rows: leaves that wait for a place, hashes in order, checkpoints, certificates. Signs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, bindparam, func, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.bulk_insert import bulk_insert
from shared.db.models.base import Base
from shared.db.models.transparency import LogCheckpoint, LogLeaf, LogTimestamp
from shared.transparency.leaves import encode
from shared.transparency.merkle_tree import Tree

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


def unsequenced(session: Session, limit: int) -> list[LogLeaf]:
    """Leaves without a place, oldest first. A slow transaction's leaf gets its place when it is committed."""
    return list(session.scalars(select(LogLeaf).where(LogLeaf.position.is_(None)).order_by(LogLeaf.id).limit(limit)))


def line(leaf: LogLeaf) -> bytes:
    """The canonical bytes of a leaf."""
    return encode(leaf.id, leaf.at, leaf.actor, leaf.kind, leaf.subject, leaf.detail)


def assign_positions(session: Session, ids: Sequence[int], first: int, hashes: Sequence[bytes]) -> None:
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


def sequenced_count(session: Session) -> int:
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


@dataclass(frozen=True)
class NewLeaf:
    """What a leaf says, before it is written. `kind` and `subject` name what happened to what."""

    actor: str
    kind: str
    subject: str
    detail: dict[str, Any]


def append_leaf(session: Session, actor: str, kind: str, subject: str, detail: dict[str, Any]) -> None:
    """Append one leaf in the caller's transaction."""
    session.execute(insert(LogLeaf).values(at=utc_now(), actor=actor, kind=kind, subject=subject, detail=detail))


def append_leaves(
    session: Session,
    leaves: Sequence[NewLeaf],
    *,
    at: datetime | None = None,
    along_with: Sequence[Sequence[Base]] = (),
) -> None:
    """Append leaves in one statement, after the rows `along_with` of other tables that they speak of.

    `along_with` holds one sequence per table, as `bulk_insert` takes them.
    """
    now = at or utc_now()
    rows = [
        LogLeaf(at=now, actor=leaf.actor, kind=leaf.kind, subject=leaf.subject, detail=leaf.detail) for leaf in leaves
    ]
    bulk_insert(session, *along_with, rows)
