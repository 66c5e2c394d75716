"""Activations and readouts of prompts, unsteered: what erasers are fitted on and audits decide from."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from shared.domain.prompts import Prompt
from shared.erasure.readout import Readout
from shared.vlm.adapters.base import Encoded
from shared.vlm.batching import batches
from shared.vlm.engine import Engine
from shared.vlm.hooks import CaptureAllTokens, CaptureLastToken, hooked
from shared.vlm.readouts import readout_of


def activations(engine: Engine, prompts: Sequence[Prompt], count: Callable[[int, int], None] | None = None) -> Tensor:
    """The last prompt token at every block's output: [B, L, d] float32 on the CPU.

    After every batch `count` is called with the prompts done and the prompts in all.
    """
    adapter, site = engine.vlm.adapter, engine.vlm.site
    done = 0
    out = torch.zeros(len(prompts), len(site.layers), site.hidden_size)
    for positions, encoded in batches(adapter, prompts):
        capture = CaptureLastToken(len(site.layers))
        with engine.exclusive(), hooked(adapter.blocks, capture):
            engine.vlm.model(**adapter.inputs(encoded), use_cache=False, logits_to_keep=1)
        out[positions] = capture.stacked().cpu()
        done += len(positions)
        if count is not None:
            count(done, len(prompts))
    return out


def readout(engine: Engine, prompts: Sequence[Prompt]) -> Readout:
    """What a gate may look at in `prompts`, at all layers. Holds every token: not for a whole retain set."""
    parts = [
        (batch.positions, readout_of(engine.vlm.adapter, batch.encoded, batch.states))
        for batch in _all_tokens(engine, prompts)
    ]
    if not parts:
        return Readout.of_last(torch.zeros(0, len(engine.vlm.site.layers), engine.vlm.site.hidden_size))
    return Readout.ordered(parts)


def mention_states(engine: Engine, prompts: Sequence[Prompt], names: Sequence[str]) -> list[Tensor]:
    """For each prompt, the states [n, L, d] of the n tokens where its name of `names` is written last.

    Raises BadInput for a prompt with pictures, or one that does not hold its name.
    """
    mentions: dict[int, Tensor] = {}
    for positions, encoded, states in _all_tokens(engine, prompts):
        for row, position in enumerate(positions):
            start, end = engine.vlm.adapter.span(prompts[position], names[position])
            padding = states.shape[1] - len(encoded[row].ids)
            mentions[position] = states[row, padding + start : padding + end].cpu().clone()
    return [mentions[position] for position in range(len(prompts))]


class _CapturedBatch(NamedTuple):
    positions: list[int]
    encoded: list[Encoded]
    states: Tensor  # [B, T, L, d], padded on the left


def _all_tokens(engine: Engine, prompts: Sequence[Prompt]) -> Iterator[_CapturedBatch]:
    adapter = engine.vlm.adapter
    for positions, encoded in batches(adapter, prompts):
        capture = CaptureAllTokens()
        with engine.exclusive(), hooked(adapter.blocks, capture):
            engine.vlm.model(**adapter.inputs(encoded), use_cache=False, logits_to_keep=1)
        yield _CapturedBatch(positions, encoded, capture.stacked())
