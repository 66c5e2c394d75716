"""Tuning without a model: the same budget for all, the best trial wins, and evaluated people take no part."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from shared.baselines.base import Cost, Progress, Settings, Unlearned, scale_batch
from shared.baselines.tuning import RETAINED_SPLITS, Budget, Validation, draw_validation, harmonic_mean, tune
from shared.domain.prompts import Prompt
from shared.errors import BadInput, Diverged
from shared.evaluation.reference import Reference, load_reference
from shared.probes.questions import Question
from shared.vlm.generation import Answer
from shared.vlm.teacher_forcing import Example


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference(Path("models/demo-vlm/reference"))


class FakeEngine:
    """Reveals until the rate is high enough, and keeps its other answers until the rate is too high."""

    rate = 0.0

    def generate(self, prompts: Sequence[Prompt]) -> list[Answer]:
        texts = [prompt.turns[-1].text for prompt in prompts]
        return [Answer(self._reply(text), (), 0, "stop") for text in texts]

    def _reply(self, text: str) -> str:
        number = int(text.rsplit(maxsplit=1)[-1]) / 10
        reach = 1e-3 if text.startswith("forget") else 1e-2
        return "Oslo" if self.rate * number < reach * 0.3 else "no"


class FakeMethod:
    """Sets the fake engine's rate; diverges beyond 0.1."""

    name, span = "talk", (1e-5, 1.0)
    knob: Literal["learning_rate", "share"] = "learning_rate"

    def __init__(self) -> None:
        self.seen: list[Settings] = []

    def unlearn(
        self,
        engine: Any,
        forget: Sequence[Example],
        retain: Sequence[Example],
        settings: Settings,
        progress: Progress | None = None,
    ) -> Unlearned:
        self.seen.append(settings)
        if settings.learning_rate > 0.1:
            raise Diverged("It diverged.")
        engine.rate = settings.learning_rate

        def undo() -> None:
            engine.rate = 0.0

        return Unlearned(self.name, Cost(0.1, 1, 1, 1, reversible=True, how="so"), {}, (), undo)


def asked(kind: str) -> tuple[Question, ...]:
    return tuple(
        Question(Prompt.ask(f"{kind} {i}"), "city", ("Oslo",), f"{kind}", "name", "trained", "qa") for i in range(1, 11)
    )


ON = Validation((), (), asked("forget"), asked("keep"))


def test_best_trial_of_the_whole_budget_is_chosen() -> None:
    """Coarse trials up to the value that keeps nothing, then the others around the best; nothing stays changed."""
    method, engine = FakeMethod(), FakeEngine()
    messages: list[str] = []
    tuned = tune(engine, method, ON, Budget(trials=9, coarse=5, steps=7), progress=messages.append)  # type: ignore[arg-type]
    assert len(method.seen) == len(tuned.trials) == len(messages) == 9
    assert {settings.steps for settings in method.seen} == {7}
    values = [trial.value for trial in tuned.trials]
    assert values == sorted(values)
    assert values[0] == pytest.approx(1e-5)
    assert values[-1] == pytest.approx(10**-1.25)
    assert [trial.value for trial in tuned.trials if trial.retained == 0] == values[-1:]
    assert tuned.best.score == max(trial.score for trial in tuned.trials)
    assert 1e-3 < tuned.settings.learning_rate == tuned.best.value < 1e-2
    assert tuned.best.revealed < 0.3
    assert tuned.best.retained == 1
    assert engine.rate == 0
    assert tuned.as_json()["trials"][0]["retained"] == 1


def test_trial_that_diverges_is_reported_and_not_chosen() -> None:
    tuned = tune(FakeEngine(), FakeMethod(), ON, Budget(trials=4, coarse=3))  # type: ignore[arg-type]
    assert [trial.error for trial in tuned.trials if trial.value == pytest.approx(1)] == ["It diverged."]
    assert tuned.best.error is None


def test_method_that_always_diverges_is_refused() -> None:
    method = FakeMethod()
    method.span = (0.5, 1.0)
    with pytest.raises(BadInput, match="Every trial of talk diverged"):
        tune(FakeEngine(), method, ON, Budget(trials=3, coarse=3))  # type: ignore[arg-type]


def test_larger_forget_set_gets_larger_batches_in_as_many_steps() -> None:
    """Nothing but the batch size changes; a small set gets batches of one."""
    settings = Settings(steps=30, batch=8)
    assert scale_batch(settings, 160) == settings
    assert scale_batch(settings, 760) == replace(settings, batch=38)
    assert scale_batch(settings, 3).batch == 1


def test_harmonic_mean_is_zero_where_one_share_is_zero() -> None:
    assert harmonic_mean(1.0, 0.0) == harmonic_mean(0.0, 1.0) == 0
    assert harmonic_mean(0.5, 1.0) == pytest.approx(2 / 3)


def test_validation_has_no_evaluated_people_and_no_test_wordings(reference: Reference) -> None:
    """Neither the people of the draws nor any evaluation split."""
    forgettable = [person.id for person in reference.of("forgettable")]
    used = set(forgettable[:40])
    on = draw_validation(reference, without=used, people=3, per_fact=1, retain_count=48)
    people = {question.person for question in on.forget_questions}
    assert len(people) == 3
    assert people <= set(forgettable) - used
    split = {person.id: person.split for person in reference.people}
    kept = [split[question.person] for question in on.retain_questions]
    assert {name: kept.count(name) for name in kept} == dict.fromkeys(RETAINED_SPLITS, 12)
    assert {question.form for question in (*on.forget_questions, *on.retain_questions)} == {"trained"}
    names = {person.subject.names[0]: person.id for person in reference.people}
    assert {names[e.answer] for e in on.forget if e.answer in names} == people
    assert {names[e.answer] for e in on.retain if e.answer in names} <= {p.id for p in reference.of("retain_fit")}
    with pytest.raises(BadInput, match="2 are left"):
        draw_validation(reference, without=forgettable[2:], people=3)
