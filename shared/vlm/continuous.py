"""Continuous batching: many computations advance together, and each may begin, end or be dropped between two steps.

A step runs at most two forward passes: prompts that came in are read together, and every answer under way gets one more
token, whatever its length, settings, seed, stop words or eraser version are (Yu et al. 2022, Orca: iteration-level
scheduling). Steering and capture act row by row. Used by one thread.
"""

import logging
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor

from shared.erasure.eraser import Decision
from shared.vlm.batching import cached_tokens
from shared.vlm.cache_pool import CachePool, RowsOfCache, rows_of
from shared.vlm.decoding import Decoder
from shared.vlm.forward_passes import ForwardPass, ReadPrompts, ReadTokens
from shared.vlm.generation import Answer, GenerationRequest, PrefillState
from shared.vlm.hooks import hooked

logger = logging.getLogger(__name__)
MOST_ROWS: Final = 64  # answers under way
MOST_PROMPTS: Final = 16  # read in one step
MOST_PROMPT_TOKENS: Final = 8192  # read in one step, with padding; a longer prompt is read alone
PADDING: Final = 0.25  # of a prompt's length, by which prompts that are read together may differ

Answering = Generator[ForwardPass | str | Answer, Any, None]


@dataclass(eq=False)
class Running:
    """A computation under way, and the forward pass that it waits for. `tokens`: of its prompt, and of an answer."""

    computation: Answering
    tokens: int = 0
    waits_for: ForwardPass | None = None


@dataclass(frozen=True)
class Outcome:
    """What a computation gave in a step: text, the whole answer, or the error that ended it."""

    running: Running
    value: str | Answer | BaseException


class ContinuousBatch:
    """The computations that share one model's forward passes."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._pool = CachePool()
        self._most_tokens = cached_tokens(decoder.vlm.adapter)
        self._running: list[Running] = []
        self._outcomes: list[Outcome] = []

    @property
    def rows(self) -> int:
        """How many computations are under way."""
        return len(self._running)

    def has_room(self, tokens: int) -> bool:
        """Whether an answer of so many tokens, with its prompt, may begin. The cache holds every row as long as the
        longest, so that few long chats may run at once; one always may."""
        longest = max((running.tokens for running in self._running), default=0)
        together = (self.rows + 1) * max(longest, tokens)
        return not self.rows or (self.rows < MOST_ROWS and together <= self._most_tokens)

    def begin(self, computation: Answering, tokens: int = 0) -> Running:
        """Take part from the next step on; `tokens` as for `has_room`."""
        running = Running(computation, tokens)
        self._running.append(running)
        return running

    def drop(self, running: Running) -> None:
        """End a computation at once; its rows are free in the next step."""
        if running in self._running:
            self._running.remove(running)
            running.computation.close()

    def step(self) -> list[Outcome]:
        """Advance every computation by a forward pass, or by as much as there is room for; what they gave."""
        with self._decoder.exclusive():
            for running in list(self._running):
                if running.waits_for is None:
                    self._advance(running, None)
            prompts = self._prompts_to_read()
            if prompts:
                self._perform(prompts, self._read_prompts)
            tokens = [running for running in self._running if isinstance(running.waits_for, ReadTokens)]
            if tokens:
                self._perform(tokens, self._read_tokens)
            else:
                self._pool.hold([])
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def _advance(self, running: Running, result: Any) -> None:
        """Give a computation its result and let it go on to the next forward pass."""
        running.waits_for = None
        try:
            value = running.computation.send(result)
            while not isinstance(value, ForwardPass):
                self._outcomes.append(Outcome(running, value))
                value = running.computation.send(None)
            running.waits_for = value
        except StopIteration:
            self._running.remove(running)
        except Exception as exc:  # noqa: BLE001 - handed to whoever waits for the answer
            self._fail(running, exc)

    def _fail(self, running: Running, error: BaseException) -> None:
        self._running.remove(running)
        running.computation.close()
        self._outcomes.append(Outcome(running, error))

    def _perform(self, group: Sequence[Running], read: Any) -> None:
        """Run one forward pass for a group; where it fails, one for each, so that what fails does so alone."""
        try:
            results = read([running.waits_for for running in group])
        except Exception as exc:
            if len(group) == 1:
                self._fail(group[0], exc)
                return
            if read == self._read_tokens:  # the cache may hold the token already: there is no second try
                logger.error("a forward pass of %d answers failed", len(group), exc_info=exc)
                for running in group:
                    self._fail(running, exc)
                return
            for running in group:
                self._perform([running], read)
            return
        for running, result in zip(group, results, strict=True):
            self._advance(running, result)

    def _prompts_to_read(self) -> list[Running]:
        """The prompts that have waited longest, and others that can be read with them: as long, and read alike."""
        waiting = [running for running in self._running if isinstance(running.waits_for, ReadPrompts)]
        if not waiting:
            return []
        first = waiting[0].waits_for
        assert isinstance(first, ReadPrompts)
        length, chosen, count = _length(first), [waiting[0]], len(first.encoded)
        longest = length
        for running in waiting[1:]:
            asked = running.waits_for
            assert isinstance(asked, ReadPrompts)
            longest = max(longest, _length(asked))
            close = abs(_length(asked) - length) <= PADDING * length + 8
            fits = count + len(asked.encoded) <= MOST_PROMPTS and longest * (count + len(asked.encoded)) <= (
                MOST_PROMPT_TOKENS
            )
            if close and fits and _alike(first.request, asked.request):
                chosen.append(running)
                count += len(asked.encoded)
            else:
                longest = max(_length(each.waits_for) for each in chosen)
        return chosen

    def _read_prompts(self, asked: Sequence[ReadPrompts]) -> list[PrefillState]:
        """One prefill of all prompts, and the part of each in it."""
        request = asked[0].request
        if request.decision is not None:
            request = replace(request, decision=_joined([each.request.decision for each in asked]))
        encoded = [prompt for each in asked for prompt in each.encoded]
        whole = self._decoder.prefill(encoded, request)
        alone = len(asked) == 1
        states, start = [], 0
        for each in asked:
            rows = slice(start, start + len(each.encoded))
            start = rows.stop
            states.append(_part(whole, rows, alone=alone))
        return states

    def _read_tokens(self, asked: Sequence[ReadTokens]) -> list[Tensor | None]:
        """One more token of every row."""
        if not all(each.prefill.cache is None or each.prefill.cache.can_be_pooled for each in asked):
            return [self._read_alone(each) for each in asked]
        self._pool.hold([each.prefill for each in asked])
        by_state = {id(each.prefill): each for each in asked}
        ordered = [by_state[id(state)] for state in self._pool.members]
        hook = _RowByRow(self._decoder, ordered)
        chosen = torch.cat([each.chosen for each in ordered])
        with hooked(hook.blocks, hook):
            out = self._decoder.vlm.model(
                input_ids=chosen[:, None], use_cache=True, **self._pool.following(self._decoder.vlm.adapter)
            )
        self._decoder.progress.step()
        for each, rows in zip(ordered, hook.rows, strict=True):
            each.prefill.logits = out.logits[rows, -1]
        return [hook.captured(each) for each in asked]

    def _read_alone(self, asked: ReadTokens) -> Tensor | None:
        """A token of an answer whose cache holds more than keys and values."""
        if isinstance(asked.prefill.cache, RowsOfCache):
            held = asked.prefill.cache
            asked.prefill.cache = held.cache
            if not held.alone:
                asked.prefill.cache.batch_select_indices(torch.arange(held.start, held.start + held.count))
        return self._decoder.read_token(asked)


class _RowByRow:
    """A hook that adds to each row its own vector, if any, and keeps of each row the layers that it is read at."""

    def __init__(self, decoder: Decoder, asked: Sequence[ReadTokens]) -> None:
        all_blocks = list(decoder.vlm.adapter.blocks)
        places: dict[tuple[int, ...] | None, list[int]] = {}  # of the blocks at some layers
        self.rows: list[slice] = []
        self._steered: list[tuple[slice, Tensor]] = []
        self._read_at: dict[int, list[int]] = {}  # for each computation that reads, its blocks
        start = 0
        for each in asked:
            rows = slice(start, start + rows_of(each.prefill))
            start = rows.stop
            self.rows.append(rows)
            if each.reading:
                layers = each.request.read_layers
                if layers not in places:
                    places[layers] = [all_blocks.index(block) for block in decoder.blocks_at(layers)]
                self._read_at[id(each)] = places[layers]
            elif (vector := decoder.decode_vector(each.request)) is not None:
                self._steered.append((rows, vector))
        self._rows_of = {id(each): rows for each, rows in zip(asked, self.rows, strict=True)}
        self._read = {number for read in places.values() for number in read}
        self._numbers = sorted(range(len(all_blocks)) if self._steered else self._read)
        self.blocks = [all_blocks[number] for number in self._numbers]
        self._kept: dict[int, Tensor] = {}

    def __call__(self, place: int, states: Tensor) -> Tensor | None:
        number = self._numbers[place]
        if number in self._read:
            self._kept[number] = states[:, -1].float()
        if not self._steered:
            return None
        moved = states.clone()
        for rows, vector in self._steered:
            moved[rows, -1:] += vector[number].to(states.dtype)
        return moved

    def captured(self, asked: ReadTokens) -> Tensor | None:
        """The states [B, G, d] of a computation's token, on the CPU, if it is read."""
        if id(asked) not in self._read_at:
            return None
        rows = self._rows_of[id(asked)]
        return torch.stack([self._kept[number][rows] for number in self._read_at[id(asked)]], dim=1).cpu()


def _length(asked: ForwardPass | None) -> int:
    assert isinstance(asked, ReadPrompts)
    return max(len(prompt.ids) for prompt in asked.encoded)


def _alike(one: GenerationRequest, other: GenerationRequest) -> bool:
    """Whether a prefill treats the prompts of both in the same way."""
    return (
        one.eraser is other.eraser
        and (one.decision is None) == (other.decision is None)
        and (one.steers, one.readout, one.read_layers) == (other.steers, other.readout, other.read_layers)
    )


def _joined(decisions: Iterable[Decision | None]) -> Decision:
    joined = Decision.none(0)
    for decision in decisions:
        assert decision is not None
        joined = joined.followed_by(decision)
    return joined


def _part(whole: PrefillState, part: slice, *, alone: bool) -> PrefillState:
    """The state of some rows. Only what the following tokens need is kept of the inputs."""
    if alone:
        whole.cache = RowsOfCache(whole.cache, 0, part.stop, alone=True)
        return whole
    inputs = {name: whole.inputs[name][part] for name in ("input_ids", "attention_mask") if name in whole.inputs}
    if "position_ids" in whole.inputs:
        inputs["position_ids"] = whole.inputs["position_ids"][..., part, :]
    rows = list(range(part.start, part.stop))
    readout = None if whole.readout is None else whole.readout.take(rows)
    evidence = None if whole.evidence is None else whole.evidence.take(rows, readout)
    return PrefillState(
        RowsOfCache(whole.cache, part.start, len(rows)),
        whole.logits[part],
        whole.decision.take(rows),
        inputs,
        readout,
        whole.past,
        whole.decides,
        evidence,
    )
