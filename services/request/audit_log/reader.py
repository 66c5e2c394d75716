"""The log as a reader sees it: places, proofs and checkpoints, from one tree that grows with the database.

One for each process. It checks nothing that it gives out: whoever asks checks, with keys that they pinned.
"""

import base64
import threading
from typing import Any

from sqlalchemy.orm import Session

from shared.db.models.transparency import LogLeaf
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
                return self._grown(session, size).inclusion(position, size)
            except ValueError as exc:
                raise NotFound(f"There is no leaf {position} among {size}: {exc}.") from exc

    def consistency(self, session: Session, first: int, size: int) -> list[bytes]:
        """Proof that the log of `size` leaves begins with that of `first`; raises NotFound."""
        with self._lock:
            try:
                return self._grown(session, size).consistency(first, size)
            except ValueError as exc:
                raise NotFound(f"There is no log of {size} leaves that grew from {first}: {exc}.") from exc

    def entry(self, session: Session, leaf: LogLeaf, size: int) -> LogEntryProof:
        """The leaf with its proof; raises BadInput for a leaf that has no place yet."""
        if leaf.position is None:
            raise BadInput("That leaf has no place in the log yet: ask again in a second.")
        return LogEntryProof(
            audit_log.leaf_bytes(leaf), leaf.position, tuple(self.inclusion(session, leaf.position, size))
        )

    def _grown(self, session: Session, size: int) -> Tree:
        if size > self._tree.size:
            audit_log.extend_tree(session, self._tree)
        return self._tree


def shown(path: list[bytes]) -> list[str]:
    """Hashes as JSON."""
    return [base64.b64encode(step).decode() for step in path]


def checkpoint(session: Session, size: int | None = None) -> dict[str, Any]:
    """The newest signed checkpoint, or the one at `size`; raises NotFound."""
    found = (
        audit_log.newest_checkpoint(session)
        if size is None
        else next(iter(audit_log.checkpoints(session, size - 1, 1)), None)
    )
    if found is None or (size is not None and found.size != size):
        raise NotFound("There is no signed checkpoint" + ("." if size is None else f" at {size} leaves."))
    return {"size": found.size, "root": base64.b64encode(found.root).decode(), "at": found.at, "note": found.note}
