"""What a batch is asked, how far its answers have come, and what comes out. Calls no model."""

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from shared.erasure.eraser import Decision, Eraser, PromptEvidence
from shared.erasure.gates.text_evidence import TextEvidence
from shared.erasure.readout import RaggedRows, Readout
from shared.vlm.adapters.base import Adapter
from shared.vlm.sampling import Sampling, TokenLogprob, ToolCall

AHEAD: Final = 8  # tokens


@dataclass(frozen=True)
class Answer:
    """One reply. `fired`, `ticket` and `score` say what the gate found; the service never sends them to a client.

    `channel` (by what somebody was recognised) and `reading` (what a second reading came to: unsteered, steered, line,
    sentence, or told where the sentence stands for an answer that told something) are counted. `logprobs`: of its
    tokens, where they were wanted. `tool_calls`: what an engine that takes tools wants called.
    """

    text: str
    tokens: tuple[int, ...]
    prompt_tokens: int
    finish_reason: str
    fired: bool = False
    ticket: str | None = None
    score: float = 0.0
    logprobs: tuple[TokenLogprob, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    channel: str | None = None
    reading: str | None = None


@dataclass(frozen=True)
class GenerationRequest:
    """How a batch is asked. `seeds`: one for each row.

    `readout`: keep what a gate may look at, without an eraser too, at `layers` (positions in the site's list; None:
    all). `decision`: made already; then this is a second pass, in which all rows are steered if `steers`.
    """

    eraser: Eraser | None = None
    max_new_tokens: int = 1
    temperature: float = 0.0
    seeds: Sequence[int] = ()
    stop: Sequence[str] = ()
    readout: bool = False
    decision: Decision | None = None
    layers: tuple[int, ...] | None = None
    steers: bool = True
    scores: bool = False  # keep how likely the tokens were
    top_p: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    top_logprobs: int | None = None  # keep the likelihoods of the tokens and of so many others at their place

    @classmethod
    def of(cls, sampling: Sampling, eraser: Eraser | None) -> "GenerationRequest":
        """The request for one prompt. Without a seed, from fresh random numbers."""
        return cls(
            eraser,
            sampling.max_new_tokens,
            sampling.temperature,
            [secrets.randbits(31) if sampling.seed is None else sampling.seed],
            sampling.stop,
            top_p=sampling.top_p,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            top_logprobs=sampling.top_logprobs,
        )

    @property
    def checks_answers(self) -> bool:
        """Whether the answers are read for names: in the first pass, where the eraser asks for it."""
        return self.eraser is not None and self.eraser.checks_answers and self.decision is None

    @property
    def ahead(self) -> int:
        """Tokens that are generated beyond what is returned: a name or fact that is cut off has to be recognised.

        A base model's answer that erasers are to decide upon later is read as far.
        """
        if self.eraser is None:
            return AHEAD if self.readout else 0
        return AHEAD if self.eraser.checks_answers else 0

    @property
    def read_layers(self) -> tuple[int, ...] | None:
        """The positions of the layers that a gate may look at: the eraser's gated ones, or `layers`; None for all."""
        if self.eraser is None or self.eraser.is_empty:
            return self.layers
        return self.eraser.gated or None

    def generators(self) -> list[torch.Generator]:
        """A fresh source of random numbers for each row."""
        return [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def second(self, rows: Sequence[int], decision: Decision, *, steers: bool) -> "GenerationRequest":
        """The same request for some of the rows, in a second pass."""
        seeds = [self.seeds[row] for row in rows] if self.seeds else []
        return replace(self, seeds=seeds, decision=decision, steers=steers, scores=not steers)

    def steered(self, rows: Sequence[int], decision: Decision) -> "GenerationRequest":
        """The same request for some of the rows, all of them steered."""
        return self.second(rows, decision, steers=True)


@dataclass
class PrefillState:
    """A batch whose prompts (`inputs`) are in `cache`: `logits` [B, V] of the next token; `past` tokens came since."""

    cache: Any
    logits: Tensor
    decision: Decision
    inputs: Mapping[str, Tensor]
    readout: Readout | None = None
    past: int = 0
    decides: bool = False  # whether rows that fire are asked again
    evidence: PromptEvidence | None = None  # where the eraser reads text

    @property
    def fired_rows(self) -> list[int]:
        """The rows to ask again because their prompt fired."""
        return [row for row, fired in enumerate(self.decision.fired.tolist()) if self.decides and fired]

    def following(self, adapter: Adapter, count: int = 1) -> dict[str, Tensor]:
        """Mask and positions of `count` more tokens, which count as past from now on; [..., B, n]."""
        self.past += count
        return adapter.following(self.inputs, self.past - count, count)


@dataclass
class DecodeState:
    """A batch in the middle of its answers: for each row the tokens so far, and why the answer ended, if it did.

    `visible`: how many of the tokens belong to the answer, once it has ended; the others are ahead of it and are only
    read. `closed`: no more tokens come. `log_likelihood`: of the tokens, by the model as it was run.
    """

    prefill: PrefillState
    tokens: list[list[int]]
    finished: list[str | None]
    answer_states: list[list[Tensor]]  # [G, d] for each token of a row's answer, where a gate looks at answers
    visible: list[int | None]
    closed: list[bool]
    log_likelihood: list[float]
    logprobs: list[list[TokenLogprob]]  # of each row's tokens, where they are wanted
    # by row and ticket: how many tokens were held against the ticket's names, of which none ends one
    cleared: dict[tuple[int, int], int] = field(default_factory=dict)
    # by row: what the text gate said when it was last asked, and how many tokens the row had then
    said: dict[int, tuple[int, Mapping[int, TextEvidence]]] = field(default_factory=dict)

    @classmethod
    def begun(cls, prefill: PrefillState, count: int, closed: Sequence[int] = ()) -> "DecodeState":
        """Before the first token of `count` rows; those in `closed` have fired and get none."""
        finished = ["fired" if row in closed else None for row in range(count)]
        tokens: list[list[int]] = [[] for _ in range(count)]
        states: list[list[Tensor]] = [[] for _ in range(count)]
        ends = [row in closed for row in range(count)]
        return cls(
            prefill,
            tokens,
            finished,
            states,
            [None] * count,
            ends,
            [0.0] * count,
            [[] for _ in range(count)],
        )

    def answer_tokens_of(self, row: int) -> list[int]:
        """The tokens that belong to the answer."""
        return self.tokens[row][: self.visible[row]]

    def certainty(self, row: int) -> float:
        """The geometric mean of the probabilities of a row's tokens and its end of turn, 0..1; 0 without any."""
        count = len(self.tokens[row]) + (self.closed[row] and self.finished[row] == "stop")
        return math.exp(self.log_likelihood[row] / count) if count else 0.0

    def answer_tokens(self) -> RaggedRows:
        """The answers' tokens as a gate looks at them."""
        owners = [row for row, states in enumerate(self.answer_states) for _ in states]
        states = [state for states in self.answer_states for state in states]
        return RaggedRows(torch.stack(states) if states else torch.zeros(0, 1, 1), torch.tensor(owners).long())


class ExaminedBatch(NamedTuple):
    """Answers to a batch and their readout, and the position of each prompt in the caller's list."""

    positions: list[int]
    answers: list[Answer]
    readout: Readout


class RowsToRedo(NamedTuple):
    """The rows of a batch that a second pass answers, and the decision for each of them."""

    rows: list[int]
    decision: Decision
