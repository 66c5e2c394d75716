"""Activations and readouts of prompts, unsteered: what erasers are fitted on and audits decide from.

`layers` are positions in the site's list of layers, None for all of them. Only those blocks are hooked, and the
model is run no further than the last of them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from shared.domain.prompts import Prompt
from shared.erasure.eraser import Decision, Eraser
from shared.erasure.readout import Readout
from shared.vlm.batching import batches, windows
from shared.vlm.engine import Engine
from shared.vlm.hooks import CaptureLastToken, read_blocks
from shared.vlm.readouts import CaptureReadout, CaptureSpans

Layers = tuple[int, ...] | None


def activations(
    engine: Engine,
    prompts: Sequence[Prompt],
    count: Callable[[int, int], None] | None = None,
    *,
    layers: Layers = None,
) -> Tensor:
    """The last prompt token at each block's output: [B, L, d] float32 on the CPU.

    After every batch `count` is called with the prompts done and the prompts in all.
    """
    adapter, blocks = engine.vlm.adapter, engine.blocks_at(layers)
    done = 0
    out = torch.zeros(len(prompts), len(blocks), engine.vlm.site.hidden_size)
    for positions, encoded in batches(adapter, prompts):
        capture = CaptureLastToken(len(blocks))
        with engine.exclusive():
            read_blocks(engine.vlm.model, adapter.inputs(encoded), blocks, capture)
        out[positions] = capture.stacked().cpu()
        done += len(positions)
        if count is not None:
            count(done, len(prompts))
    return out


def activation_windows(engine: Engine, prompts: Iterable[Prompt], *, layers: Layers = None) -> Iterator[Tensor]:
    """`activations` of one window of prompts after another, [n, L, d]."""
    for window in windows(prompts):
        yield activations(engine, window, layers=layers)


class ReadoutBatch(NamedTuple):
    """The readout of a batch, and the position of each of its prompts in the caller's list."""

    positions: list[int]
    readout: Readout


def readout_batches(
    engine: Engine, prompts: Iterable[Prompt], *, layers: Layers = None, texts: bool = False
) -> Iterator[ReadoutBatch]:
    """What a gate may look at in `prompts`, a batch at a time; a window of prompts is held. `texts`: read these too."""
    adapter, blocks = engine.vlm.adapter, engine.blocks_at(layers)
    for positions, encoded in batches(adapter, prompts):
        capture = CaptureReadout(adapter, encoded, len(blocks))
        with engine.exclusive():
            read_blocks(engine.vlm.model, adapter.inputs(encoded), blocks, capture)
        read = engine.reader.prompts(adapter, encoded) if texts else ()
        yield ReadoutBatch(positions, replace(capture.readout(layers), texts=read))


def readout(engine: Engine, prompts: Sequence[Prompt], *, layers: Layers = None) -> Readout:
    """The same of all prompts together. Holds every token: not for a whole retain set."""
    parts = list(readout_batches(engine, prompts, layers=layers))
    if not parts:
        return Readout.of_last(torch.zeros(0, len(engine.blocks_at(layers)), engine.vlm.site.hidden_size), layers)
    return Readout.ordered(parts)


def decide(engine: Engine, eraser: Eraser, prompts: Sequence[Prompt]) -> Decision:
    """The eraser's decision on each prompt, without an answer. Holds the readout of one batch at a time."""
    positions: list[int] = []
    decision = Decision.none(0)
    for batch in readout_batches(engine, prompts, layers=eraser.gated, texts=eraser.text is not None):
        positions += batch.positions
        decision = decision.followed_by(eraser.decide(batch.readout))
    return decision.take(torch.tensor(positions, dtype=torch.long).argsort().tolist())


def mention_states(
    engine: Engine, prompts: Sequence[Prompt], names: Sequence[str], *, layers: Layers = None
) -> list[Tensor]:
    """For each prompt, the states [n, L, d] of the n tokens where its name of `names` is written last.

    Raises BadInput for a prompt with pictures, or one that does not hold its name.
    """
    adapter, blocks = engine.vlm.adapter, engine.blocks_at(layers)
    states: dict[int, Tensor] = {}
    for positions, encoded in batches(adapter, prompts):
        spans = [adapter.span(prompts[position], names[position]) for position in positions]
        capture = CaptureSpans(encoded, spans, len(blocks))
        with engine.exclusive():
            read_blocks(engine.vlm.model, adapter.inputs(encoded), blocks, capture)
        states.update(zip(positions, capture.spans(), strict=True))
    return [states[position] for position in range(len(prompts))]
