"""Keys and values of many answers in one cache, so that one forward pass adds a token to each of them.

Rows are aligned at their last token: a shorter one is padded on the left, as in any batch, and its mask says so. Rows
come and go between forward passes.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from shared.vlm.adapters.base import Adapter
from shared.vlm.generation import PrefillState


@dataclass(frozen=True)
class RowsOfCache:
    """`count` rows of a cache from row `start` on; what `PrefillState.cache` is until the answers are pooled.

    `alone`: they are all of its rows.
    """

    cache: Any
    start: int
    count: int
    alone: bool = False

    @property
    def can_be_pooled(self) -> bool:
        """Whether all it holds are keys and values, of all tokens or of the last ones."""
        return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in self.cache.layers)


class CachePool:
    """One cache for the rows of several states. `width`: tokens of the longest row, with its padding."""

    def __init__(self) -> None:
        self._cache: Any = None
        self._members: list[PrefillState] = []
        self._width = 0

    def hold(self, states: Sequence[PrefillState]) -> None:
        """Hold the rows of these states, in this order, and of no others. A new state's `cache` is a RowsOfCache."""
        if len(states) == len(self._members) and all(a is b for a, b in zip(states, self._members, strict=True)):
            return
        if not states:
            self._cache, self._members, self._width = None, [], 0
            return
        offsets: dict[int, int] = {}
        start = 0
        for member in self._members:
            offsets[id(member)] = start
            start += rows_of(member)
        kept = [state for state in states if id(state) in offsets]
        joining = [state for state in states if id(state) not in offsets]
        width = max(width_of(state) for state in states)
        parts = [RowsOfCache(self._cache, offsets[id(state)], rows_of(state)) for state in kept]
        self._cache = merged([*parts, *(state.cache for state in joining)], width)
        for state in joining:
            state.cache = None
        self._members, self._width = [*kept, *joining], width

    @property
    def members(self) -> Sequence[PrefillState]:
        """The states in the order of their rows, which may be another one than they were given in."""
        return self._members

    def following(self, adapter: Adapter) -> dict[str, Any]:
        """The model's keyword arguments for one more token of every row, but the tokens; the token counts as past."""
        masks, positions = [], []
        for state in self._members:
            before = width_of(state)
            more = state.following(adapter)
            mask = more.get("attention_mask")
            if mask is None:
                mask = torch.ones(rows_of(state), before + 1, dtype=torch.long)
            masks.append(torch.nn.functional.pad(mask, (self._width - before, 0)))
            at = more.get("position_ids")
            positions.append(torch.full((rows_of(state), 1), before) if at is None else at)
        device = positions[0].device
        mask = torch.cat([each.to(device) for each in masks])
        self._width += 1
        arguments = {"past_key_values": self._cache, "position_ids": torch.cat([p.to(device) for p in positions], -2)}
        return arguments if bool(mask.all()) else arguments | {"attention_mask": mask}


def rows_of(state: PrefillState) -> int:
    """How many rows a state has."""
    return int(state.inputs["input_ids"].shape[0])


def width_of(state: PrefillState) -> int:
    """How many tokens a state has read in each row, with its padding."""
    return int(state.inputs["input_ids"].shape[1]) + state.past


def merged(parts: Sequence[RowsOfCache], width: int) -> Any:
    """One cache of `width` tokens with the rows of several caches."""
    parts = list(_adjoined(parts))
    cache = copy.copy(parts[0].cache)
    cache.layers = []
    for layers in zip(*[part.cache.layers for part in parts], strict=True):
        layer = copy.copy(layers[0])
        length = width
        if isinstance(layer, DynamicSlidingWindowLayer):
            length = min(width, layer.sliding_window - 1)
            layer.cumulative_length = width
        rows = [slice(part.start, part.start + part.count) for part in parts]
        layer.keys = _joined([old.keys[some] for old, some in zip(layers, rows, strict=True)], length)
        layer.values = _joined([old.values[some] for old, some in zip(layers, rows, strict=True)], length)
        cache.layers.append(layer)
    return cache


def _adjoined(parts: Sequence[RowsOfCache]) -> Iterator[RowsOfCache]:
    """The same rows with those in one that follow each other in one cache: what is copied at once."""
    last = parts[0]
    for part in parts[1:]:
        if part.cache is last.cache and part.start == last.start + last.count:
            last = RowsOfCache(last.cache, last.start, last.count + part.count)
        else:
            yield last
            last = part
    yield last


def _joined(parts: Sequence[Tensor], length: int) -> Tensor:
    """The rows of all `parts` [B, H, T, D], their last `length` tokens, with zeros before shorter ones: one copy."""
    counts = [len(part) for part in parts]
    joined = parts[0].new_empty(sum(counts), parts[0].shape[1], length, parts[0].shape[3])
    for part, place in zip(parts, joined.split(counts), strict=True):
        kept = part[:, :, max(0, part.shape[2] - length) :]
        missing = length - kept.shape[2]
        if missing:
            place[:, :, :missing] = 0
        place[:, :, missing:] = kept
    return joined
