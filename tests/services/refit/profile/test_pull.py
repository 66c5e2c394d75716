"""Which answers of a second pass count as readable, and which setting is chosen."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from services.refit.profile import pull
from services.refit.profile.pull import PullChoice, choose_pull, is_readable
from services.refit.steering_vectors import SteeringVectors
from shared.erasure.recipe import LACUNA
from shared.evaluation.model_profile import PullTrial
from shared.evaluation.reference import default_reference

TAUGHT, SENTENCE = (SteeringVectors(torch.full((2, 4), value)) for value in (1.0, 2.0))


@pytest.mark.parametrize(
    "text",
    [
        "I do not know this person.",
        "I'm sorry, but I don't have any information about that.",
        "Diese Person kenne ich leider nicht.",
        "Nie znam tej osoby.",
        "No.",
        "The person you are asking about is not known to me, and I would not want to guess where the person was born.",
    ],
)
def test_sentence_is_readable(text: str) -> None:
    assert is_readable(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "...",
        "42 42",
        "the the the the the the",
        "I do not know I do not know I do not know",
        "person person person person",
    ],
)
def test_repetition_or_no_word_at_all_is_not_readable(text: str) -> None:
    assert not is_readable(text)


def chosen(
    monkeypatch: pytest.MonkeyPatch, declines: dict[str, float], *, teachers: bool = True, told: dict[str, float]
) -> PullChoice:
    """The choice where the trials named so far have these shares of declining and telling answers; others decline 0."""

    def outcome(
        _: Any, __: Sequence[Any], own: Sequence[str], recipe: Any, ___: Any, name: str, seconds: float
    ) -> PullTrial:
        assert own == ()  # the reference states no sentence
        kind = name.split(",", maxsplit=1)[0]
        return PullTrial(name, recipe.strength, 60, told.get(kind, 0.0), declines.get(kind, 0.0), 1.0, seconds)

    monkeypatch.setattr(pull, "questions_about", lambda *_: ["asked"])
    monkeypatch.setattr(pull, "_try", outcome)
    monkeypatch.setattr(pull, "compute_steering_vectors", lambda *_: TAUGHT)
    monkeypatch.setattr(pull, "sentence_vectors", lambda *_: SENTENCE)
    monkeypatch.setattr(pull, "_has_teachers", lambda *_: teachers)
    engine: Any = SimpleNamespace(vlm=SimpleNamespace(site=SimpleNamespace(layers=(0, 1), hidden_size=4)))
    return choose_pull(engine, default_reference(), [], LACUNA)


def test_vectors_that_decline_well_are_taken_and_nothing_more_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = chosen(monkeypatch, {"steering": 0.95, "steering towards the sentence": 1.0}, told={})
    assert choice.vectors is TAUGHT
    assert [trial.name for trial in choice.trials] == ["no steering", "steering, strength 1", "steering, strength 0.7"]


def test_sentence_is_taught_where_strangers_taught_badly(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a model that declines about some strangers and invents about others."""
    choice = chosen(monkeypatch, {"no steering": 0.7, "steering towards the sentence": 1.0}, told={})
    assert choice.vectors is SENTENCE
    assert (choice.recipe.strength, len(choice.trials)) == (1.0, 5)


def test_model_without_teachers_is_not_taught_the_sentence_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = chosen(monkeypatch, {"steering": 0.5}, teachers=False, told={})
    assert choice.vectors is TAUGHT
    assert len(choice.trials) == 3


def test_sentence_that_tells_more_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"steering towards the sentence": 0.2}
    choice = chosen(monkeypatch, {"no steering": 0.7, "steering towards the sentence": 1.0}, told=told)
    assert choice.recipe.strength == 0.0
    assert choice.vectors is TAUGHT
