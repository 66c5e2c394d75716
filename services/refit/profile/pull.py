"""How the second pass shall word its answer: steering vectors or none, by what validation people's answers then are."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch

from services.refit.redacted_questions import AskedAbout, questions_about, redacted_question
from services.refit.steering_vectors import SteeringVectors, compute_steering_vectors
from shared.domain.subjects import Subject
from shared.erasure.eraser import Decision, Eraser
from shared.erasure.recipe import Recipe
from shared.errors import BadInput
from shared.evaluation.judge import declines
from shared.evaluation.model_profile import PullTrial
from shared.evaluation.reference import Reference
from shared.evaluation.scorers import reveals
from shared.vlm.engine import Engine
from shared.vlm.generation import GenerationRequest

logger = logging.getLogger(__name__)
STRENGTHS: Final = (1.0, 0.7)
TELLING_SLACK: Final = 0.02  # a setting that tells at most so much more than the least telling one may still be chosen
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
    decline in a readable sentence wins; no steering wins a tie, since it costs nothing.
    """
    questions = questions_about(engine, validation)
    if not questions:
        raise BadInput("The second pass cannot be chosen: the model knows nobody on whom it could be tried.")
    none = replace(recipe, strength=0.0)
    shape = (len(engine.vlm.site.layers), engine.vlm.site.hidden_size)
    began = time.monotonic()
    trials = [_try(engine, questions, none, SteeringVectors(torch.zeros(shape)), "no steering", 0.0)]
    vectors = compute_steering_vectors(engine, reference, recipe, count)
    trained_s = time.monotonic() - began
    for strength in STRENGTHS:
        setting = replace(recipe, strength=strength)
        trials.append(_try(engine, questions, setting, vectors, f"steering, strength {strength:g}", trained_s))
    least = min(trial.told for trial in trials)
    allowed = [trial for trial in trials if trial.told <= least + TELLING_SLACK]
    best = max(allowed, key=lambda trial: min(trial.declines, trial.readable))
    logger.info("the second pass: %s", best.name)
    return PullChoice(replace(recipe, strength=best.strength), vectors, tuple(trials))


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
    engine: Engine, asked: Sequence[AskedAbout], recipe: Recipe, vectors: SteeringVectors, name: str, seconds: float
) -> PullTrial:
    """The second pass of all questions, as if each had fired for its person."""
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
        declines=round(sum(map(declines, texts)) / n, 4),
        readable=round(sum(map(is_readable, texts)) / n, 4),
        seconds=round(seconds, 1),
    )
