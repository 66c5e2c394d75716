"""Groups prompts of similar length into batches, so that little is padded and one long prompt does not pad all."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from shared.domain.prompts import Prompt
from shared.vlm.adapters.base import Adapter, Encoded

BATCH: Final = 64  # most prompts of a batch
WINDOW: Final = BATCH * 8  # prompts that are sorted by length among themselves; longer lists are cut into such windows
PADDING: Final = 8  # most tokens by which a prompt of a batch is padded


class PromptBatch(NamedTuple):
    """Encoded prompts of one forward pass, and the position of each in the caller's list."""

    positions: list[int]
    encoded: list[Encoded]


def batches(adapter: Adapter, prompts: Sequence[Prompt]) -> Iterator[PromptBatch]:
    """The prompts, the shortest of each window first, at most BATCH at a time and padded by at most PADDING tokens.

    The batches of a list depend on the list alone, and so do the last bits of what is computed from it.
    """
    for start in range(0, len(prompts), WINDOW):
        window = adapter.encode(prompts[start : start + WINDOW])
        chosen: list[int] = []
        for offset in sorted(range(len(window)), key=lambda offset: len(window[offset].ids)):
            if chosen and (len(chosen) == BATCH or len(window[offset].ids) - len(window[chosen[0]].ids) > PADDING):
                yield _batch(window, chosen, start)
                chosen = []
            chosen.append(offset)
        if chosen:
            yield _batch(window, chosen, start)


def _batch(window: Sequence[Encoded], offsets: Sequence[int], start: int) -> PromptBatch:
    return PromptBatch([start + offset for offset in offsets], [window[offset] for offset in offsets])
