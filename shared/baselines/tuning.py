"""Finds the one setting of each baseline that matters, with the same budget for all, so that none is a straw man.

The objective is the harmonic mean of forgetting (1 - facts still revealed about the validation people) and retention
(unchanged answers about everybody else). Validation people are forgettable people who are in no draw that is evaluated.
Retention is measured on every split that is not an evaluation split, in equal parts. Measured on the retain set alone,
which some methods train on, a model that answers gibberish about anybody else would look good. Test wordings are never
used.
"""

import math
import random
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from shared.baselines.base import Baseline, Progress, Settings, examples_about, scale_batch
from shared.errors import BadInput, Diverged
from shared.evaluation.comparison import sample
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference
from shared.evaluation.scorers import reveals
from shared.probes.questions import Question, fact_questions
from shared.vlm.engine import Engine
from shared.vlm.teacher_forcing import Example

ASKED_SEED = 17  # other wordings and pictures than the baselines learn from
RETAINED_SPLITS = ("retain_fit", "calibration", "celebrity_fit", "stranger_fit")


@dataclass(frozen=True)
class Budget:
    """The same for every method: `coarse` trials spread evenly over its span, then the others around the best one.

    Of the coarse trials those above a value that keeps nothing are left out, and their share goes to the others.
    """

    trials: int = 8
    coarse: int = 5
    steps: int = 30


@dataclass(frozen=True)
class Validation:
    """What a trial unlearns and keeps, and the questions that are asked afterwards about both."""

    forget: tuple[Example, ...]
    retain: tuple[Example, ...]
    forget_questions: tuple[Question, ...]
    retain_questions: tuple[Question, ...]


@dataclass(frozen=True)
class Trial:
    """One point of the curve. `revealed` and `retained` are shares of questions.

    A trial that diverged has `revealed` 1, `retained` 0 and an `error`.
    """

    value: float
    revealed: float
    retained: float
    score: float
    seconds: float
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, under the names that stored tables have."""
        values = asdict(self)
        return {("told" if name == "revealed" else name): value for name, value in values.items()}


@dataclass(frozen=True)
class Tuned:
    """The chosen settings of a method, and every trial, ordered by its value."""

    method: str
    knob: str
    settings: Settings
    best: Trial
    trials: tuple[Trial, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a report."""
        trials = [trial.as_json() for trial in self.trials]
        return asdict(self) | {"best": self.best.as_json(), "trials": trials}


def draw_validation(
    reference: Reference,
    *,
    without: Collection[str],
    people: int = 4,
    per_fact: int = 4,
    retain_count: int = 200,
    seed: int = 0,
) -> Validation:
    """A draw of forgettable people who are not in `without` (the ids of everybody who will be evaluated).

    `retain_count` is the number of questions about everybody else. Raises BadInput where too few people are left.
    """
    free = [person for person in reference.of("forgettable") if person.id not in without]
    if len(free) < people:
        raise BadInput(f"Tuning needs {people} forgettable people who are not evaluated; {len(free)} are left.")
    drawn = random.Random(f"{seed}/tuning").sample(free, people)
    retained = reference.of("retain_fit")

    def questions(people: Sequence[Person]) -> list[Question]:
        return [
            question
            for person in people
            for question in fact_questions(
                person.subject, form="trained", per_fact=2, seed=seed + ASKED_SEED, person=person.id
            )
        ]

    return Validation(
        forget=tuple(examples_about({p.id: p.subject for p in drawn}, per_fact=per_fact, seed=seed)),
        retain=tuple(examples_about({p.id: p.subject for p in retained}, per_fact=per_fact, seed=seed)),
        forget_questions=tuple(questions(drawn)),
        retain_questions=tuple(
            question
            for split in RETAINED_SPLITS
            for question in sample(questions(reference.of(split)), retain_count // len(RETAINED_SPLITS), seed)
        ),
    )


def tune(
    engine: Engine,
    method: Baseline,
    validation: Validation,
    budget: Budget,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Tuned:
    """Try `budget.trials` values of the method's knob; `settings` gives everything else.

    The engine's model is the base model afterwards. Ties go to the smaller value. Raises BadInput where every trial
    diverged.
    """
    base = scale_batch(replace(settings or Settings(), steps=budget.steps), len(validation.forget))
    before = _replies(engine, validation)
    trials: list[Trial] = []
    low, high = (math.log(bound) for bound in method.span)
    coarse = max(2, min(budget.coarse, budget.trials))
    collapsed = False  # a trial kept nothing; no larger value can keep more
    for number in range(budget.trials):
        collapsed = collapsed or (len(trials) > 1 and trials[-1].retained == 0)
        evenly = low + (high - low) * number / (coarse - 1)
        value = math.exp(evenly) if number < coarse and not collapsed else _next_value(trials)
        trials.append(_trial(engine, method, validation, before, _with_knob(base, method, value), value, progress))
        trials.sort(key=lambda trial: trial.value)
        if progress is not None:
            last = next(trial for trial in trials if trial.value == value)
            progress(
                f"{method.name}: trial {number + 1} of {budget.trials}, {method.knob} {value:.2e}, "
                f"revealed {last.revealed:.1%}, retained {last.retained:.1%}"
            )
    best = max(trials, key=lambda trial: (trial.error is None, trial.score, -trial.value))
    if best.error is not None:
        raise BadInput(f"Every trial of {method.name} diverged. The best of them: {best.error}")
    return Tuned(method.name, method.knob, _with_knob(base, method, best.value), best, tuple(trials))


def harmonic_mean(forgetting: float, retention: float) -> float:
    """The harmonic mean of two shares; zero where one of them is zero."""
    return 2 * forgetting * retention / (forgetting + retention) if forgetting > 0 and retention > 0 else 0.0


def _with_knob(settings: Settings, method: Baseline, value: float) -> Settings:
    return replace(settings, share=value) if method.knob == "share" else replace(settings, learning_rate=value)


def _trial(
    engine: Engine,
    method: Baseline,
    validation: Validation,
    before: Sequence[str],
    settings: Settings,
    value: float,
    progress: Progress | None,
) -> Trial:
    try:
        unlearned = method.unlearn(engine, validation.forget, validation.retain, settings, progress)
    except Diverged as exc:
        return Trial(value, revealed=1.0, retained=0.0, score=0.0, seconds=0.0, error=exc.detail)
    with unlearned:
        after = _replies(engine, validation)
    split = len(validation.forget_questions)
    revealed = [
        reveals(reply, question.accept)
        for question, reply in zip(validation.forget_questions, after[:split], strict=True)
    ]
    same = [base_reply == reply for base_reply, reply in zip(before[split:], after[split:], strict=True)]
    forgetting, retention = 1 - sum(revealed) / len(revealed), sum(same) / len(same)
    return Trial(value, 1 - forgetting, retention, harmonic_mean(forgetting, retention), unlearned.cost.seconds)


def _replies(engine: Engine, validation: Validation) -> list[str]:
    """The model's replies to the forget questions, then to the retain questions."""
    questions = (*validation.forget_questions, *validation.retain_questions)
    return [answer.text for answer in engine.generate([question.prompt for question in questions])]


def _next_value(trials: Sequence[Trial]) -> float:
    """Half way, on the log scale, from the best trial to its more distant neighbour; upwards in a tie."""
    best = max(range(len(trials)), key=lambda i: (trials[i].score, -i))
    value = trials[best].value
    neighbours = [trials[i].value for i in (best - 1, best + 1) if 0 <= i < len(trials)]
    return math.sqrt(value * max(neighbours, key=lambda other: (round(abs(math.log(other / value)), 6), other)))
