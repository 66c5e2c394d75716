"""How much memory a refit with the identity gate takes beside the model's weights, from shapes alone.

The bounds of what is kept are here too, so that the arithmetic of docs/operations.md and the code cannot differ. What
the model itself needs for a forward pass is not counted; `BATCH_BYTES` of shared/vlm/batching.py bounds it.
"""

from dataclasses import dataclass, replace
from typing import Final

from shared.erasure.gates.identity import GROUP_BYTES
from shared.erasure.numerics.moments import ROWS_AT_ONCE, SCATTER_BYTES, WIDE
from shared.erasure.numerics.whitening import CHUNK_BYTES
from shared.erasure.prepare import WAITING_BYTES

CALIBRATION_BYTES: Final = 1 << 30  # of calibration words, and of calibration pictures: 4096 tokens at 32 x 4096
QUESTION_BYTES: Final = 1 << 30  # of questions of fact, and of harmless questions: 2048 at 32 x 4096
FLOAT16, FLOAT32, FLOAT64 = 2, 4, 8  # bytes of a number


@dataclass(frozen=True)
class RefitSize:
    """What a refit is about. A vector is an activation at all `layers` (G gated ones) of width `hidden`.

    `group`: mentions of a person's name, or changes of a photograph. `words` and `pictures`: vectors of the calibration
    set. `batch`: words of one batch of it. `questions`: of either kind about pictures. `ticket`: vectors of one ticket,
    one for each photograph and four for each way in which a name is written.
    """

    layers: int
    hidden: int
    rank: int
    group: int
    words: int
    pictures: int
    batch: int
    questions: int
    tickets: int
    ticket: int

    @property
    def vector(self) -> int:
        """Numbers of a vector."""
        return self.layers * self.hidden

    @property
    def at_pictures(self) -> "RefitSize":
        """The same for pictures, which are read at the input of the first block too: one more layer."""
        return replace(self, layers=self.layers + 1)

    @property
    def space(self) -> int:
        """Bytes of one whitened space."""
        rank = min(self.rank, self.hidden)
        return FLOAT32 * (self.vector * (1 + rank) + self.layers * (rank + 1))


def bounded(size: RefitSize) -> RefitSize:
    """The same with no more of the reference than a refit keeps."""
    calibration = CALIBRATION_BYTES // (FLOAT16 * size.vector)
    questions = QUESTION_BYTES // (FLOAT32 * size.vector)
    return replace(
        size,
        words=min(size.words, calibration),
        pictures=min(size.pictures, calibration),
        questions=min(size.questions, questions),
    )


def refit_bytes(size: RefitSize) -> dict[str, int]:
    """The most bytes held in each phase of a refit, by the phase's name: what is kept so far, and what it works on."""
    size = bounded(size)
    vector, seen = size.vector, size.at_pictures
    pictures, words = FLOAT16 * seen.vector * size.pictures, FLOAT16 * vector * size.words
    statistics = seen.space + size.space + pictures + words
    fits = FLOAT32 * vector * size.ticket * size.tickets
    return {
        "scatter of pictures": _scatter(seen),
        "calibration pictures": 2 * seen.space + _whitened(seen, size.pictures, pictures),
        "questions about pictures": seen.space + pictures + _questions(size),
        "scatter of names": seen.space + pictures + _scatter(size),
        "calibration words": seen.space + size.space + pictures + _whitened(size, size.words, words),
        "storing the statistics": 4 * statistics,  # tensors, their bytes, the file and the sealed file
        "fitting and calibrating": statistics + fits + _compared(size),
        "publishing": statistics + 4 * fits,
    }


def _scatter(size: RefitSize) -> int:
    """One scatter matrix for each of as many layers as fit, rows that wait, and an eigendecomposition."""
    matrix = FLOAT64 * size.hidden**2
    layers = min(size.layers, max(1, SCATTER_BYTES // matrix))
    waiting = size.group + (ROWS_AT_ONCE if size.hidden >= WIDE else 0)
    rows = FLOAT64 * layers * size.hidden * (2 * waiting + 2 * size.group) + FLOAT32 * size.vector * 2 * size.group
    return layers * matrix + max(rows, 5 * matrix + 2 * size.space)


def _whitened(size: RefitSize, count: int, kept: int) -> int:
    """Rows that wait, their ordered copy and their whitened copy; what was whitened before, and its ordered copy."""
    waiting = FLOAT32 * size.vector * min(count, size.batch + WAITING_BYTES // (FLOAT32 * size.vector))
    return max(kept + 3 * waiting + 5 * min(CHUNK_BYTES, waiting), 2 * kept)


def _questions(size: RefitSize) -> int:
    """Questions of both kinds, one of them copied together, and one layer's discriminant in float64."""
    layer = FLOAT64 * size.hidden * 6 * size.questions + 3 * FLOAT64 * size.hidden**2
    return 3 * FLOAT32 * size.vector * size.questions + layer


def _compared(size: RefitSize) -> int:
    """Windows of some tickets, a chunk of tokens, and the cosines of all tokens with them."""
    each = FLOAT32 * size.vector * size.ticket
    together = min(size.tickets, max(1, GROUP_BYTES // max(1, each)))
    chunk = min(CHUNK_BYTES, FLOAT32 * size.vector * size.words)
    return together * each + chunk + FLOAT32 * size.words * (3 * together * size.ticket + size.tickets)
