"""Asks the base model and the candidate the same questions, and computes each answer only where it may differ.

Where the recipe decides once per request, an answer that does not fire is the base model's answer by construction (the
engine does not touch those rows). Only questions that fire are asked again; the suite asks a sample of the others from
beginning to end. An eraser decides by activations, by the text of the prompt and by the answer, which is read a few
tokens beyond its end, as in serving; a prompt whose pictures the model would be asked about counts as one that fires.
What the base model says about reference people is kept from one audit to the next, together with what erasers decide by
as long as that is small.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

from shared.core.progress import Counter, uncounted
from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.erasure.prepare import gated_layers
from shared.vlm import capture
from shared.vlm.capture import ReadoutBatch
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.likelihood import option_likelihood

T = TypeVar("T")
READOUT_BYTES: Final = 256 << 20  # of readouts that are kept from one audit to the next


@dataclass(frozen=True)
class BeforeAfter(Generic[T]):
    """The same thing of the base model and of the candidate."""

    before: T
    after: T


class _Examined(NamedTuple):
    """The base model's answers to a list of prompts, and their readouts batch by batch."""

    answers: list[Answer]
    readouts: list[ReadoutBatch]


@dataclass
class Evaluator:
    """One engine, and a cache of the base model's answers: the key names the list of prompts."""

    engine: Engine
    _base: dict[str, list[Answer]] = field(default_factory=dict)
    _examined: dict[tuple[str, tuple[int, ...]], _Examined] = field(default_factory=dict)
    _likelihoods: dict[str, list[list[float]]] = field(default_factory=dict)
    _readout_bytes: int = 0

    def answers(
        self,
        prompts: Sequence[Prompt],
        eraser: Eraser,
        *,
        cache_key: str | None = None,
        max_new_tokens: int = 24,
        answered: Counter = uncounted,
    ) -> BeforeAfter[list[Answer]]:
        """Both answers to each prompt. Pass a `cache_key` for prompts that are the same in every audit.

        `answered` is told how many prompts more have both answers.
        """
        if eraser.recipe.decides:
            before, fired = self._decided(prompts, eraser, cache_key, max_new_tokens, answered)
        else:
            before, fired = self._base_answers(prompts, cache_key, max_new_tokens), list(range(len(prompts)))
            answered(len(prompts) if eraser.is_empty else 0)
        if eraser.is_empty:
            return BeforeAfter(before, before)
        again = self.engine.generate(
            [prompts[i] for i in fired], eraser=eraser, max_new_tokens=max_new_tokens, answered=answered
        )
        after = list(before)
        for index, answer in zip(fired, again, strict=True):
            after[index] = answer
        return BeforeAfter(before, after)

    def _base_answers(self, prompts: Sequence[Prompt], cache_key: str | None, max_new_tokens: int) -> list[Answer]:
        if cache_key is not None and cache_key in self._base:
            return self._base[cache_key]
        answers = self.engine.generate(prompts, max_new_tokens=max_new_tokens)
        if cache_key is not None:
            self._base[cache_key] = answers
        return answers

    def _decided(
        self,
        prompts: Sequence[Prompt],
        eraser: Eraser,
        cache_key: str | None,
        max_new_tokens: int,
        answered: Counter,
    ) -> tuple[list[Answer], list[int]]:
        """The base model's answers, and the positions of those for which `eraser` fires; the others are counted.

        The readout of a batch is released after the decision, unless there is room to keep it.
        """
        layers = eraser.gated or gated_layers(eraser.recipe, eraser.site)
        key = None if cache_key is None else (cache_key, layers)
        fired: list[int] = []

        def decide(batch: ReadoutBatch) -> None:
            may = [] if eraser.is_empty else eraser.may_fire(batch.readout).nonzero()[:, 0].tolist()
            fired.extend(batch.positions[row] for row in may)
            answered(len(batch.positions) - len(may))

        if key is not None and key in self._examined:
            examined = self._examined[key]
            for batch in examined.readouts:
                decide(batch)
            return examined.answers, sorted(fired)
        answers: dict[int, Answer] = {}
        kept: list[ReadoutBatch] = []
        size = 0
        for part in self.engine.examine_batches(prompts, max_new_tokens=max_new_tokens, layers=layers):
            answers.update(zip(part.positions, part.answers, strict=True))
            batch = ReadoutBatch(part.positions, part.readout)
            decide(batch)
            size += part.readout.size_bytes
            if key is not None and self._readout_bytes + size <= READOUT_BYTES:
                kept.append(batch)
            else:
                kept.clear()
        examined = _Examined([answers[position] for position in range(len(prompts))], kept)
        if key is not None and self._readout_bytes + size <= READOUT_BYTES:
            self._examined[key] = examined
            self._readout_bytes += size
        return examined.answers, sorted(fired)

    def likelihoods(
        self,
        prompts: Sequence[Prompt],
        options: Sequence[Sequence[str]],
        eraser: Eraser,
        *,
        cache_key: str | None = None,
    ) -> BeforeAfter[list[list[float]]]:
        """The log-likelihood of each option of each prompt, by both. Prompts alone decide: no answer is given."""
        if cache_key is None or cache_key not in self._likelihoods:
            before = option_likelihood(self.engine, prompts, options)
            if cache_key is not None:
                self._likelihoods[cache_key] = before
        else:
            before = self._likelihoods[cache_key]
        if eraser.is_empty:
            return BeforeAfter(before, before)
        fired = list(range(len(prompts)))
        if eraser.recipe.decides:
            fired = capture.decide(self.engine, eraser, prompts).fired.nonzero()[:, 0].tolist()
        again = option_likelihood(self.engine, [prompts[i] for i in fired], [options[i] for i in fired], eraser=eraser)
        after = list(before)
        for index, scores in zip(fired, again, strict=True):
            after[index] = scores
        return BeforeAfter(before, after)
