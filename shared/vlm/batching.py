"""Groups prompts of similar length into batches, so that little is padded and one long prompt does not pad all."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple

from shared.domain.prompts import Prompt
from shared.vlm.adapters.base import Adapter, Encoded

BATCH: Final = 64  # most prompts of a batch
WINDOW: Final = BATCH * 8  # prompts that are sorted by length among themselves; longer lists are cut into such windows
BATCH_BYTES: Final = 4 << 30  # of 16-bit keys and values of a batch's tokens at all blocks: 8192 tokens at 32 x 4096
WINDOW_BYTES: Final = 2 << 30  # of the pictures of a window, as the vision tower takes them: 1500 of LLaVA-1.5's
PIECE: Final = 8  # prompts that are encoded at once: between them it is seen whether a window is full
PADDING: Final = 8  # most tokens by which a prompt of a batch is padded


class PromptBatch(NamedTuple):
    """Encoded prompts of one forward pass, and the position of each in the caller's list."""

    positions: list[int]
    encoded: list[Encoded]


def cached_tokens(adapter: Adapter) -> int:
    """How many tokens, with padding, the keys and values of one batch may have."""
    return BATCH_BYTES // (4 * len(adapter.blocks) * adapter.hidden_size)


def windows(prompts: Iterable[Prompt]) -> Iterator[list[Prompt]]:
    """The prompts, WINDOW at a time."""
    rest = iter(prompts)
    while window := list(islice(rest, WINDOW)):
        yield window


def encoded_windows(adapter: Adapter, prompts: Iterable[Prompt]) -> Iterator[list[Encoded]]:
    """The encoded prompts, at most WINDOW at a time, and no more than fit into WINDOW_BYTES but for a few."""
    rest, window, size = iter(prompts), list[Encoded](), 0
    while piece := list(islice(rest, PIECE)):
        encoded = [replace(row, prompt=prompt) for row, prompt in zip(adapter.encode(piece), piece, strict=True)]
        window += encoded
        size += sum(row.pixels.nbytes for row in encoded if row.pixels is not None)
        if len(window) >= WINDOW or size >= WINDOW_BYTES:
            yield window
            window, size = [], 0
    if window:
        yield window


def batches(adapter: Adapter, prompts: Iterable[Prompt]) -> Iterator[PromptBatch]:
    """The prompts, the shortest of each window first, at most BATCH at a time and padded by at most PADDING tokens.

    A batch has no more tokens than BATCH_BYTES holds, but one prompt at least. The batches of a list depend on the list
    and the model alone, and so do the last bits of what is computed from it. Of prompts that are made one after
    another, a window is held at a time.
    """
    most_tokens = cached_tokens(adapter)
    start = 0
    for window in encoded_windows(adapter, prompts):
        chosen: list[int] = []
        for offset in sorted(range(len(window)), key=lambda offset: len(window[offset].ids)):
            length = len(window[offset].ids)
            full = len(chosen) == BATCH or (len(chosen) + 1) * length > most_tokens
            if chosen and (full or length - len(window[chosen[0]].ids) > PADDING):
                yield _batch(window, chosen, start)
                chosen = []
            chosen.append(offset)
        if chosen:
            yield _batch(window, chosen, start)
        start += len(window)


def _batch(window: Sequence[Encoded], offsets: Sequence[int], start: int) -> PromptBatch:
    return PromptBatch([start + offset for offset in offsets], [window[offset] for offset in offsets])
