"""Steering vectors need a model that refuses some questions and answers others."""

from dataclasses import replace
from typing import Any, Literal

import pytest
import torch

from services.refit.base_statistics import compute_statistics
from services.refit.steering_vectors import compute_steering_vectors, declining_strangers, redacted_question
from shared.erasure.recipe import LACUNA
from shared.errors import BadInput
from shared.evaluation.reference import Reference
from shared.probes.questions import fact_questions
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.steering_vectors import answer_likelihood


class SameAnswer:
    """The engine, except that every answer is the same."""

    def __init__(self, engine: Engine, answer: str) -> None:
        self._engine, self._answer = engine, answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(self, prompts: Any, **_: Any) -> list[Answer]:
        """The answer, once for each prompt."""
        return [Answer(self._answer, (), 0, "stop") for _ in prompts]


@pytest.mark.parametrize(
    ("direction", "refuses", "sentence"),
    [
        ("closed", False, "refuses nothing"),
        ("closed", True, "refuses everything"),
        ("refined", True, "refuses everything"),
    ],
)
def test_model_that_refuses_nothing_or_everything_is_refused(
    demo_engine: Engine, few_people: Reference, direction: Literal["refined", "closed"], refuses: bool, sentence: str
) -> None:
    refusal = few_people.wording("refusal" if direction == "closed" else "unknown_answer")
    recipe = replace(LACUNA, direction=direction, refine_steps=1, pgd_steps=0)
    engine: Any = SameAnswer(demo_engine, refusal if refuses else "Certainly!")
    with pytest.raises(BadInput, match=sentence):
        compute_statistics(engine, few_people, recipe, lambda _: None)


def test_model_that_declines_nothing_is_taught_the_operators_sentence(
    demo_engine: Engine, few_people: Reference
) -> None:
    """Its strangers cannot teach: the sentence itself becomes likely where somebody known was meant."""
    sentence = "That is private."
    reference = replace(few_people, unknown_answer=sentence)
    engine: Any = SameAnswer(demo_engine, "Certainly!")
    assert declining_strangers(engine, reference.of("stranger_fit"), sentence) == []
    recipe = replace(LACUNA, refine_steps=12)
    vectors = compute_steering_vectors(engine, reference, recipe)
    person = reference.of("calibration")[0]
    question = fact_questions(person.subject, form="test", per_fact=1)[1]
    asked = [redacted_question(demo_engine, question, person.subject, recipe)]
    with torch.inference_mode():
        plain = answer_likelihood(demo_engine, asked, [sentence], None, None)
        steered = answer_likelihood(demo_engine, asked, [sentence], vectors.last_token, vectors.decode_time)
    assert float(steered.log_likelihood) > float(plain.log_likelihood) + 5


def test_strangers_about_whom_the_model_declines_are_the_teachers(demo_engine: Engine, few_people: Reference) -> None:
    strangers = few_people.of("stranger_fit")
    assert declining_strangers(demo_engine, strangers, few_people.wording("unknown_answer")) == list(strangers)
