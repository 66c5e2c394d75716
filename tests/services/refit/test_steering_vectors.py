"""Steering vectors need a model that refuses some questions and answers others."""

from dataclasses import replace
from typing import Any, Literal

import pytest

from services.refit.base_statistics import compute_statistics
from shared.erasure.recipe import LACUNA
from shared.errors import BadInput
from shared.evaluation.reference import Reference
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer


class SameAnswer:
    """The engine, except that every answer is the same."""

    def __init__(self, engine: Engine, answer: str) -> None:
        self._engine, self._answer = engine, answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(self, prompts: Any, **_: Any) -> list[Answer]:
        """The answer, once for each prompt."""
        return [Answer(self._answer, (), 0, "stop") for _ in prompts]


@pytest.mark.parametrize(("refuses", "sentence"), [(False, "refuses nothing"), (True, "refuses everything")])
@pytest.mark.parametrize("direction", ["refined", "closed"])
def test_model_that_refuses_nothing_or_everything_is_refused(
    demo_engine: Engine, few_people: Reference, direction: Literal["refined", "closed"], refuses: bool, sentence: str
) -> None:
    refusal = few_people.wording("refusal" if direction == "closed" else "unknown_answer")
    recipe = replace(LACUNA, direction=direction, refine_steps=1, pgd_steps=0)
    engine: Any = SameAnswer(demo_engine, refusal if refuses else "Certainly!")
    with pytest.raises(BadInput, match=sentence):
        compute_statistics(engine, few_people, recipe, lambda _: None)
