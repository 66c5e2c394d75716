"""The log as a reader sees it: positions, proofs and checkpoints, from one tree that grows with the database.

Each process has one reader. The reader checks nothing that it gives out: whoever asks checks it, with pinned keys.
"""

import base64
import threading

from sqlalchemy.orm import Session

from shared.db.models.transparency import LogCheckpoint, LogLeaf
from shared.db.repositories import audit_log
from shared.errors import BadInput, NotFound
from shared.transparency.certificate_verifier import LogEntryProof
from shared.transparency.merkle_tree import Tree


class LogReader:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._tree, self._lock = Tree(), threading.Lock()

    def inclusion(self, session: Session, position: int, size: int) -> list[bytes]:
        """Proof that leaf `position` is among the first `size`; raises NotFound."""
        with self._lock:
            try:
                return self._grown_tree(session, size).inclusion(position, size)
            except ValueError as exc:
                raise NotFound(f"There is no leaf {position} among {size}: {exc}.") from exc

    def consistency(self, session: Session, first: int, size: int) -> list[bytes]:
        """Proof that the log of `size` leaves begins with that of `first`; raises NotFound."""
        with self._lock:
            try:
                return self._grown_tree(session, size).consistency(first, size)
            except ValueError as exc:
                raise NotFound(f"There is no log of {size} leaves that grew from {first}: {exc}.") from exc

    def entry(self, session: Session, leaf: LogLeaf, size: int) -> LogEntryProof:
        """The leaf with its proof; raises BadInput for a leaf that has no position yet."""
        if leaf.position is None:
            raise BadInput("That leaf has no position in the log yet: ask again in a second.")
        return LogEntryProof(
            audit_log.leaf_bytes(leaf), leaf.position, tuple(self.inclusion(session, leaf.position, size))
        )

    def _grown_tree(self, session: Session, size: int) -> Tree:
        if size > self._tree.size:
            audit_log.extend_tree(session, self._tree)
        return self._tree


def encode_path(path: list[bytes]) -> list[str]:
    """The hashes of a proof in base64."""
    return [base64.b64encode(step).decode() for step in path]


def get_checkpoint(session: Session, size: int | None = None) -> LogCheckpoint:
    """The newest signed checkpoint, or the one at `size` leaves; raises NotFound."""
    if size is None:
        checkpoint = audit_log.newest_checkpoint(session)
        if checkpoint is None:
            raise NotFound("There is no signed checkpoint.")
        return checkpoint
    checkpoint = next(iter(audit_log.checkpoints(session, size - 1, 1)), None)
    if checkpoint is None or checkpoint.size != size:
        raise NotFound(f"There is no signed checkpoint at {size} leaves.")
    return checkpoint
