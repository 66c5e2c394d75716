"""Asks the base model and the candidate the same questions, as cheaply as an honest audit allows.

Where the recipe decides once per request, an answer that does not fire is the base model's answer by construction (the
engine does not touch those rows). Only questions that fire are asked again; the suite asks a sample of the others from
beginning to end. What the base model says about reference people is kept from one audit to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.erasure.readout import Readout
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.likelihood import option_likelihood

T = TypeVar("T")


@dataclass(frozen=True)
class BeforeAfter(Generic[T]):
    """The same thing of the base model and of the candidate."""

    before: T
    after: T


@dataclass
class Evaluator:
    """One engine, and a cache of the base model's answers: the key names the list of prompts."""

    engine: Engine
    _base: dict[str, list[Answer]] = field(default_factory=dict)
    _readouts: dict[str, Readout] = field(default_factory=dict)
    _likelihoods: dict[str, list[list[float]]] = field(default_factory=dict)

    def answers(
        self, prompts: Sequence[Prompt], eraser: Eraser, *, cache_key: str | None = None, max_new_tokens: int = 24
    ) -> BeforeAfter[list[Answer]]:
        """Both answers to each prompt. Pass a `cache_key` for prompts that are the same in every audit."""
        if cache_key is None or cache_key not in self._base:
            before, readout = self.engine.examine(prompts, max_new_tokens=max_new_tokens)
            if cache_key is not None:
                self._base[cache_key], self._readouts[cache_key] = before, readout
        else:
            before, readout = self._base[cache_key], self._readouts[cache_key]
        if eraser.is_empty:
            return BeforeAfter(before, before)
        fired = list(range(len(prompts)))
        if eraser.recipe.decides:
            fired = [int(index) for index in eraser.decide(readout).fired.nonzero()]
        again = self.engine.generate([prompts[i] for i in fired], eraser=eraser, max_new_tokens=max_new_tokens)
        after = list(before)
        for index, answer in zip(fired, again, strict=True):
            after[index] = answer
        return BeforeAfter(before, after)

    def likelihoods(
        self,
        prompts: Sequence[Prompt],
        options: Sequence[Sequence[str]],
        eraser: Eraser,
        *,
        cache_key: str | None = None,
    ) -> BeforeAfter[list[list[float]]]:
        """The log-likelihood of each option of each prompt, by both."""
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
            fired = [int(index) for index in eraser.decide(capture.readout(self.engine, prompts)).fired.nonzero()]
        again = option_likelihood(self.engine, [prompts[i] for i in fired], [options[i] for i in fired], eraser=eraser)
        after = list(before)
        for index, scores in zip(fired, again, strict=True):
            after[index] = scores
        return BeforeAfter(before, after)
