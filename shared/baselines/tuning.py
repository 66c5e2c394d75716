"""Finds the one setting of each baseline that matters, by the same budget for all, so that none is a straw man.

Objective: the harmonic mean of forgetting (1 - facts still told of the validation people) and retention (answers about
everybody else that are unchanged). Validation people are forgettable people who are in no draw that is evaluated. What
is kept is asked of every split that is no evaluation split, in equal parts: of the retain set alone, which some methods
train on, a model that speaks gibberish about anybody else would look well kept. Test wordings are never looked at.
"""

import math
import random
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from shared.baselines.base import Baseline, Progress, Settings, examples_about, scale_batch
from shared.errors import BadInput, Diverged
from shared.evaluation.comparison import sample
from shared.evaluation.reference import Reference
from shared.evaluation.scorers import reveals
from shared.probes.questions import Question, fact_questions
from shared.vlm.engine import Engine
from shared.vlm.teacher_forcing import Example

ASKED_SEED = 17  # other wordings and pictures than the baselines learn from
KEPT = ("retain_fit", "calibration", "celebrity_fit", "stranger_fit")


@dataclass(frozen=True)
class Budget:
    """The same for every method: `coarse` trials spread evenly over its span, the others around the best one."""

    trials: int = 8
    coarse: int = 5
    steps: int = 30


@dataclass(frozen=True)
class Validation:
    """What is unlearned and kept in a trial, and what is asked afterwards."""

    forget: tuple[Example, ...]
    retain: tuple[Example, ...]
    asked: tuple[Question, ...]
    kept: tuple[Question, ...]


@dataclass(frozen=True)
class Trial:
    """One point of the curve. `told` and `retained` are shares; a run that diverged has `told` 1 and an `error`."""

    value: float
    told: float
    retained: float
    score: float
    seconds: float
    error: str | None = None


@dataclass(frozen=True)
class Tuned:
    """The chosen settings of a method, and every trial in the order of its value."""

    method: str
    knob: str
    settings: Settings
    best: Trial
    trials: tuple[Trial, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a report."""
        return asdict(self)


def draw_validation(
    reference: Reference,
    *,
    without: Collection[str],
    people: int = 4,
    per_fact: int = 4,
    kept: int = 200,
    seed: int = 0,
) -> Validation:
    """A draw of forgettable people who are not in `without` (the ids of all people that will be evaluated).

    Raises BadInput where too few are left.
    """
    free = [person for person in reference.of("forgettable") if person.id not in without]
    if len(free) < people:
        raise BadInput(f"Tuning needs {people} forgettable people who are not evaluated; {len(free)} are left.")
    drawn = random.Random(f"{seed}/tuning").sample(free, people)
    staying = reference.of("retain_fit")

    def questions(who: Sequence[Any]) -> list[Question]:
        return [
            question
            for person in who
            for question in fact_questions(
                person.subject, form="trained", per_fact=2, seed=seed + ASKED_SEED, person=person.id
            )
        ]

    return Validation(
        forget=tuple(examples_about({p.id: p.subject for p in drawn}, per_fact=per_fact, seed=seed)),
        retain=tuple(examples_about({p.id: p.subject for p in staying}, per_fact=per_fact, seed=seed)),
        asked=tuple(questions(drawn)),
        kept=tuple(
            question for split in KEPT for question in sample(questions(reference.of(split)), kept // len(KEPT), seed)
        ),
    )


def tune(
    engine: Engine,
    method: Baseline,
    on: Validation,
    budget: Budget,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Tuned:
    """Try `budget.trials` values of the method's knob; `settings` gives everything else. The engine is left as it was.

    Ties go to the smaller value. Raises BadInput where not one trial ended with a number.
    """
    base = scale_batch(replace(settings or Settings(), steps=budget.steps), len(on.forget))
    asked = [question.prompt for question in (*on.asked, *on.kept)]
    before = [answer.text for answer in engine.generate(asked)]
    trials: list[Trial] = []
    low, high = (math.log(bound) for bound in method.span)
    coarse = max(2, min(budget.coarse, budget.trials))
    for number in range(budget.trials):
        spread = low + (high - low) * number / (coarse - 1)
        value = math.exp(spread) if number < coarse else _between(trials)
        trials.append(_trial(engine, method, on, before, _turned(base, method, value), value, progress))
        trials.sort(key=lambda trial: trial.value)
        if progress is not None:
            last = next(trial for trial in trials if trial.value == value)
            progress(
                f"{method.name}: trial {number + 1} of {budget.trials}, {method.knob} {value:.2e}, "
                f"told {last.told:.1%}, retained {last.retained:.1%}"
            )
    best = max(trials, key=lambda trial: (trial.error is None, trial.score, -trial.value))
    if best.error is not None:
        raise BadInput(f"No trial of {method.name} ended with a number. The last one: {best.error}")
    return Tuned(method.name, method.knob, _turned(base, method, best.value), best, tuple(trials))


def harmonic_mean(forgetting: float, retention: float) -> float:
    """The harmonic mean of two shares; nought where one of them is."""
    return 2 * forgetting * retention / (forgetting + retention) if forgetting > 0 and retention > 0 else 0.0


def _turned(settings: Settings, method: Baseline, value: float) -> Settings:
    return replace(settings, share=value) if method.knob == "share" else replace(settings, learning_rate=value)


def _trial(
    engine: Engine,
    method: Baseline,
    on: Validation,
    before: Sequence[str],
    settings: Settings,
    value: float,
    progress: Progress | None,
) -> Trial:
    try:
        unlearned = method.unlearn(engine, on.forget, on.retain, settings, progress)
    except Diverged as exc:
        return Trial(value, told=1.0, retained=0.0, score=0.0, seconds=0.0, error=exc.detail)
    with unlearned:
        after = [answer.text for answer in engine.generate([q.prompt for q in (*on.asked, *on.kept)])]
    split = len(on.asked)
    told = [reveals(reply, question.accept) for question, reply in zip(on.asked, after[:split], strict=True)]
    same = [one == other for one, other in zip(before[split:], after[split:], strict=True)]
    forgetting, retention = 1 - sum(told) / len(told), sum(same) / len(same)
    return Trial(value, 1 - forgetting, retention, harmonic_mean(forgetting, retention), unlearned.cost.seconds)


def _between(trials: Sequence[Trial]) -> float:
    """The next value: half way, on the log scale, from the best trial to the further of its neighbours; up if equal."""
    place = max(range(len(trials)), key=lambda i: (trials[i].score, -i))
    here = trials[place].value
    beside = [trials[i].value for i in (place - 1, place + 1) if 0 <= i < len(trials)]
    return math.sqrt(here * max(beside, key=lambda value: (round(abs(math.log(value / here)), 6), value)))
