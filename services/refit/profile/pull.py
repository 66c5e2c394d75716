"""Chooses the second pass of a model, steering vectors or none, by the answers about validation people."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch

from services.refit.redacted_questions import AskedAbout, questions_about, redacted_question
from services.refit.steering_vectors import (
    SteeringVectors,
    compute_steering_vectors,
    declining_strangers,
    sentence_vectors,
)
from shared.domain.subjects import Subject
from shared.erasure.eraser import Decision, Eraser
from shared.erasure.recipe import Recipe
from shared.errors import BadInput
from shared.evaluation.model_profile import PullTrial
from shared.evaluation.reference import Reference
from shared.evaluation.scorers import reveals
from shared.text.declines import declines
from shared.vlm.engine import Engine
from shared.vlm.generation import GenerationRequest

logger = logging.getLogger(__name__)
STRENGTHS: Final = (1.0, 0.7)
TELLING_SLACK: Final = 0.02  # a setting that tells at most so much more than the least telling one may still be chosen
DECLINES: Final = 0.9  # of the answers: less is not good enough to leave it there
LONGEST_GRAM: Final = 4  # words; an answer that repeats one more than REPEATS times is not readable
REPEATS: Final = 2
BATCH: Final = 32
ANSWER_TOKENS: Final = 32

Count = Callable[[int, int], None]


@dataclass(frozen=True)
class PullChoice:
    """The chosen recipe with its vectors, and all trials."""

    recipe: Recipe
    vectors: SteeringVectors
    trials: tuple[PullTrial, ...]


def choose_pull(
    engine: Engine,
    reference: Reference,
    validation: Sequence[Subject],
    recipe: Recipe,
    count: Count | None = None,
) -> PullChoice:
    """Try the second pass without steering, and with the trained vectors at some strengths, on `validation` people.

    The people are known to the model and in no fit. Of the settings that tell least, the one whose answers most often
    decline in a readable sentence wins; no steering wins a tie, since it costs nothing. Where strangers taught the
    vectors and no setting declines to a share of DECLINES, vectors that are trained towards the sentence are tried too.
    """
    questions = questions_about(engine, validation)
    if not questions:
        raise BadInput("The second pass cannot be chosen: the model knows nobody on whom it could be tried.")
    none = replace(recipe, strength=0.0)
    own = () if reference.unknown_answer is None else (reference.unknown_answer,)
    shape = (len(engine.vlm.site.layers), engine.vlm.site.hidden_size)
    tried = [_Tried(_try(engine, questions, own, none, SteeringVectors(torch.zeros(shape)), "no steering", 0.0), None)]

    def try_vectors(name: str, make: Callable[[Engine, Reference, Recipe, Count | None], SteeringVectors]) -> None:
        began = time.monotonic()
        vectors = make(engine, reference, recipe, count)
        trained_s = time.monotonic() - began
        for strength in STRENGTHS:
            setting = replace(recipe, strength=strength)
            trial = _try(engine, questions, own, setting, vectors, f"{name}, strength {strength:g}", trained_s)
            tried.append(_Tried(trial, vectors))

    try_vectors("steering", compute_steering_vectors)
    if _best(tried).quality < DECLINES and _has_teachers(engine, reference):
        try_vectors("steering towards the sentence", sentence_vectors)
    best = _best(tried)
    logger.info("the second pass: %s", best.trial.name)
    vectors = next(each.vectors for each in (best, *tried) if each.vectors is not None)
    return PullChoice(replace(recipe, strength=best.trial.strength), vectors, tuple(each.trial for each in tried))


@dataclass(frozen=True)
class _Tried:
    """A trial with its vectors; None without steering."""

    trial: PullTrial
    vectors: SteeringVectors | None

    @property
    def quality(self) -> float:
        """The share of answers that decline, or that can be read, whichever is less."""
        return min(self.trial.declines, self.trial.readable)


def _best(tried: Sequence[_Tried]) -> _Tried:
    """The first of the best among those that tell least."""
    least = min(each.trial.told for each in tried)
    return max((each for each in tried if each.trial.told <= least + TELLING_SLACK), key=lambda each: each.quality)


def _has_teachers(engine: Engine, reference: Reference) -> bool:
    """Whether strangers taught the vectors: without any they were trained towards the sentence already."""
    strangers = [replace(person, subject=engine.readable(person.subject)) for person in reference.of("stranger_fit")]
    return bool(declining_strangers(engine, strangers, reference.wording("unknown_answer")))


def is_readable(text: str) -> bool:
    """Whether an answer is a sentence: it has words, and repeats none of its word sequences again and again."""
    words = text.split()
    if not any(character.isalpha() for character in text):
        return False
    for size in range(1, LONGEST_GRAM + 1):
        grams = Counter(tuple(words[start : start + size]) for start in range(len(words) - size + 1))
        runs = grams.most_common(1)[0][1] if grams else 0
        allowed = max(REPEATS, len(words) // 5) if size == 1 else REPEATS
        if runs > allowed:
            return False
    return True


def _try(
    engine: Engine,
    asked: Sequence[AskedAbout],
    own: Sequence[str],
    recipe: Recipe,
    vectors: SteeringVectors,
    name: str,
    seconds: float,
) -> PullTrial:
    """The second pass of all questions, as if each had fired for its person; `own`: the sentence that is taught."""
    eraser = Eraser(
        recipe, engine.vlm.site, vectors.last_token, tickets=("validation",), decode_directions=vectors.decode_time
    )
    redacted = [redacted_question(engine, each) for each in asked]
    texts: list[str] = []
    for start in range(0, len(redacted), BATCH):
        batch = redacted[start : start + BATCH]
        fired = Decision(torch.ones(len(batch), dtype=torch.bool), ["validation"] * len(batch), torch.ones(len(batch)))
        request = GenerationRequest(eraser, ANSWER_TOKENS, decision=fired)
        texts += [answer.text for answer in engine.second_pass(batch, request)]
    revealed = [reveals(text, each.question.accept) for text, each in zip(texts, asked, strict=True)]
    n = len(asked)
    return PullTrial(
        name=name,
        strength=recipe.strength,
        n=n,
        told=round(sum(revealed) / n, 4),
        declines=round(sum(declines(text, own) for text in texts) / n, 4),
        readable=round(sum(map(is_readable, texts)) / n, 4),
        seconds=round(seconds, 1),
    )
