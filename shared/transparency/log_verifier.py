"""Check a whole log offline: its leaves as lines, against all known checkpoints and pinned public keys.

The check cannot know whether a shorter or another log was signed with the same key and shown to somebody else. Only
checkpoints that were kept from earlier (`kept`) can show that.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from shared.errors import IntegrityFailure
from shared.transparency import checkpoints as transparency_checkpoints
from shared.transparency.checkpoints import Checkpoint, PublicKey
from shared.transparency.leaves import decode, withheld_hash
from shared.transparency.merkle_tree import EMPTY, Frontier, leaf_hash


@dataclass(frozen=True)
class VerifiedLog:
    """A log that was checked and found good: the newest of `checkpoints` checkpoints signs `signed` of its `leaves`.

    `withheld` of the leaves are other tenants': their hashes are there, and nobody here read them.
    """

    leaves: int
    signed: int
    checkpoints: int
    root: bytes
    withheld: int = 0

    def sentence(self) -> str:
        """The result for a person."""
        late = self.leaves - self.signed
        waiting = f"; {late} newer {'leaf is' if late == 1 else 'leaves are'} not signed yet" if late else ""
        others = f" {self.withheld} of them are other tenants', known by their hashes." if self.withheld else ""
        return (
            f"The log holds: {self.signed} leaves are those that were signed, at every one of {self.checkpoints} "
            f"checkpoint{'' if self.checkpoints == 1 else 's'}{waiting}. Root {self.root.hex()}.{others}"
        )


@dataclass(frozen=True)
class _Known:
    """A checkpoint whose signature holds; `kept` where the caller kept it from earlier."""

    checkpoint: Checkpoint
    kept: bool


def verify(lines: Iterable[bytes], notes: Sequence[str], kept: Sequence[str], keys: Sequence[PublicKey]) -> VerifiedLog:
    """Check `lines` (leaves in order, without line ends) against checkpoints fetched now (`notes`) and kept ones.

    In place of a leaf of another tenant there is a line with its hash (`leaves.encode_withheld`).

    Raises IntegrityFailure, which says what is wrong. Costs two hashes for each leaf, and log2(n) hashes of memory.
    """
    if not notes and not kept:
        raise IntegrityFailure("There is no checkpoint against which these leaves could be checked.")
    known = [_Known(checkpoint, kept=False) for checkpoint in _read(notes, keys, "A checkpoint of this log")]
    known += [_Known(checkpoint, kept=True) for checkpoint in _read(kept, keys, "A checkpoint that you kept")]
    known.sort(key=lambda item: (item.checkpoint.size, item.kept))
    for smaller, larger in pairwise(item.checkpoint for item in known):
        if smaller.origin != larger.origin:
            raise IntegrityFailure(f"The checkpoints are of two logs: {smaller.origin} and {larger.origin}.")
        if smaller.size == larger.size and smaller.root != larger.root:
            raise IntegrityFailure(
                f"The history was forked: two different logs of {smaller.size} leaves were signed with the same key."
            )
    frontier, held, root, withheld = Frontier(), 0, EMPTY, 0
    waiting = deque(item for item in known if item.checkpoint.size > 0)
    for line in lines:
        if (hash_alone := withheld_hash(line)) is not None:
            withheld += 1
        else:
            decode(line)
        frontier.append(hash_alone or leaf_hash(line))
        while waiting and waiting[0].checkpoint.size == frontier.size:
            reached = waiting.popleft()
            if frontier.root() != reached.checkpoint.root:
                raise IntegrityFailure(_differs(held, reached))
            held, root = reached.checkpoint.size, reached.checkpoint.root
    if waiting:
        newest = waiting[-1]
        raise IntegrityFailure(
            f"The log was cut off: it ends at {frontier.size} leaves, but {newest.checkpoint.size} were signed"
            f"{' in the checkpoint that you kept' if newest.kept else ''}."
        )
    return VerifiedLog(frontier.size, held, len(known), root, withheld)


def _read(notes: Sequence[str], keys: Sequence[PublicKey], whose: str) -> list[Checkpoint]:
    try:
        return [transparency_checkpoints.read(note, keys) for note in notes]
    except IntegrityFailure as exc:
        raise IntegrityFailure(f"{whose} was altered, or is not signed by a key that you trust.") from exc


def _differs(held: int, reached: _Known) -> str:
    checkpoint = reached.checkpoint
    among = f"Among leaves {held} to {checkpoint.size - 1}" if checkpoint.size - held > 1 else f"Leaf {held}"
    whose = "the checkpoint that you kept" if reached.kept else "the signed checkpoint"
    return (
        f"{among} the log is not what {whose} at {checkpoint.size} leaves says: leaves were changed, moved, put in or "
        "left out, or this is another history."
    )
