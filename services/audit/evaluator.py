"""Asks base model and candidate the same things, as cheaply as honesty allows.

Where the recipe decides once per request, an answer that does not fire is the base model's by construction (the
engine leaves those rows alone), so only what fires is asked again; the suite asks a sample of the rest end to end.
What the base model says of reference people is kept from one audit to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.erasure.readout import Readout
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.likelihood import option_likelihood


@dataclass
class Evaluator:
    """One engine, and its memory of the base model's answers (by a name for the list of prompts)."""

    engine: Engine
    _base: dict[str, list[Answer]] = field(default_factory=dict)
    _evidence: dict[str, Readout] = field(default_factory=dict)
    _likelihoods: dict[str, list[list[float]]] = field(default_factory=dict)

    def answers(
        self, prompts: Sequence[Prompt], eraser: Eraser, *, keep: str | None = None, max_new_tokens: int = 24
    ) -> tuple[list[Answer], list[Answer]]:
        """(before, after). `keep` names prompts that are the same at every audit."""
        if keep is None or keep not in self._base:
            before, evidence = self.engine.examine(prompts, max_new_tokens=max_new_tokens)
            if keep is not None:
                self._base[keep], self._evidence[keep] = before, evidence
        else:
            before, evidence = self._base[keep], self._evidence[keep]
        if eraser.is_empty:
            return before, before
        fired = list(range(len(prompts)))
        if eraser.recipe.decides:
            fired = [int(place) for place in eraser.decide(evidence).fired.nonzero()]
        again = self.engine.generate([prompts[i] for i in fired], eraser=eraser, max_new_tokens=max_new_tokens)
        after = list(before)
        for place, answer in zip(fired, again, strict=True):
            after[place] = answer
        return before, after

    def likelihoods(
        self, prompts: Sequence[Prompt], options: Sequence[Sequence[str]], eraser: Eraser, *, keep: str | None = None
    ) -> tuple[list[list[float]], list[list[float]]]:
        """(before, after): log-likelihood of each option."""
        if keep is None or keep not in self._likelihoods:
            before = option_likelihood(self.engine, prompts, options)
            if keep is not None:
                self._likelihoods[keep] = before
        else:
            before = self._likelihoods[keep]
        if eraser.is_empty:
            return before, before
        fired = list(range(len(prompts)))
        if eraser.recipe.decides:
            fired = [int(place) for place in eraser.decide(capture.readout(self.engine, prompts)).fired.nonzero()]
        again = option_likelihood(self.engine, [prompts[i] for i in fired], [options[i] for i in fired], eraser=eraser)
        after = list(before)
        for place, scores in zip(fired, again, strict=True):
            after[place] = scores
        return before, after
