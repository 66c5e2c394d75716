"""Measures how sure a model must be of its answer to a redacted prompt for that answer to be given (`ReleaseBounds`).

Two kinds of answers are compared by the geometric mean of their tokens' probabilities: ordinary ones, and those that
the model invents when the person of a question is redacted (docs/method.md, section 6).
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import torch

from services.refit.redacted_questions import questions_about, redacted_question
from services.refit.retained_people import retained_people
from shared.domain.prompts import Prompt
from shared.erasure.eraser import UNCERTAIN, ReleaseBounds
from shared.errors import BadInput
from shared.evaluation.reference import Reference
from shared.text.declines import declines
from shared.vlm.adapters.base import Encoded
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer, GenerationRequest

logger = logging.getLogger(__name__)
ORDINARY_QUANTILE: Final = 0.05  # of ordinary answers, this share may be taken for made up
INVENTED_QUANTILE: Final = 0.98  # of answers that are made up, this share is recognised
ORDINARY: Final = 60  # prompts
TOKENS: Final = 32
BATCH: Final = 16


def release_bounds(
    engine: Engine, reference: Reference, count: Callable[[int, int], None] | None = None
) -> ReleaseBounds:
    """The bounds of the model, measured on ordinary prompts and on retained people; neither is evaluated on.

    `count` is told how many of how many prompts are answered.
    """
    texts = [*reference.general.calibration, *reference.general.fit][:ORDINARY]
    people = [person.subject for person in retained_people(reference) if person.subject.names]
    asked = []
    for question in questions_about(engine, people, form="trained"):
        try:
            asked.append(redacted_question(engine, question))
        except BadInput:  # the chat template writes the name in another way
            continue
    plain = [engine.vlm.adapter.encode([Prompt.ask(text)])[0] for text in texts]
    if not plain:
        return UNCERTAIN
    ordinary: list[float] = []
    invented: list[float] = []
    done = 0
    for kind, encoded in ((ordinary, plain), (invented, asked)):
        for answer, certainty in _certainties(engine, encoded):
            if kind is ordinary or not declines(answer.text, reference.own_wordings):
                kind.append(certainty)
            done += 1
            if count is not None and done % BATCH == 0:
                count(done, len(plain) + len(asked))
    sure = _quantile(ordinary, ORDINARY_QUANTILE)
    made_up = _quantile(invented, INVENTED_QUANTILE) if invented else 0.0
    silent = telling = (sure + made_up) / 2
    if made_up > sure:  # the two kinds overlap: then it counts whether the first answer told something
        silent, telling = sure, made_up
    logger.info("answers to redacted prompts count from a certainty of %.2f, %.2f", silent, telling)
    return ReleaseBounds(round(silent, 4), round(telling, 4))


def _quantile(values: Sequence[float], level: float) -> float:
    return float(torch.tensor(values).quantile(level))


def _certainties(engine: Engine, encoded: Sequence[Encoded]) -> Iterator[tuple[Answer, float]]:
    request = GenerationRequest(None, TOKENS)
    for start in range(0, len(encoded), BATCH):
        yield from engine.answers_with_certainty(encoded[start : start + BATCH], request)
