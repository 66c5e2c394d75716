"""What changed between two systems that were asked the same questions: facts still revealed, answers still the same.

The question sets say who is asked what; the comparison turns two lists of replies into figures with intervals over
people. This module knows nothing of models, erasers or HTTP: the audit asks an engine, the demo the running service.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from shared.domain.subjects import Subject
from shared.evaluation.judge import AnswerKind, classify
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference
from shared.evaluation.scorers import reveals
from shared.probes.questions import Question, fact_questions, visible_questions
from shared.probes.templates import Form

BOOTSTRAP_DRAWS = 1000
BYSTANDER_SPLITS: Final[dict[str, tuple[str, ...]]] = {  # the first split that has anybody
    "retain": ("retain_fit", "celebrity_fit"),
    "held_out": ("held_out",),
    "celebrity": ("celebrity_eval",),
    "stranger": ("stranger_eval",),
}


@dataclass(frozen=True)
class Comparison:
    """Figures of one question set: shares of `n` questions about `people` people, with 95 % intervals over people.

    `unknown_after`: the answer declines, in any wording, and does not reveal the fact (judge.py).
    """

    n: int
    people: int
    revealed_before: float
    revealed_after: float
    revealed_after_interval: tuple[float, float]
    identical: float
    identical_interval: tuple[float, float]
    unknown_after: float

    def as_json(self) -> dict[str, Any]:
        """Plain numbers for a report, under the names that reports are stored and published with."""
        return {
            "n": self.n,
            "people": self.people,
            "told_before": self.revealed_before,
            "told_after": self.revealed_after,
            "told_after_interval": self.revealed_after_interval,
            "identical": self.identical,
            "identical_interval": self.identical_interval,
            "unknown_after": self.unknown_after,
        }


def compare(
    questions: Sequence[Question], before: Sequence[str], after: Sequence[str], own: Sequence[str] = ()
) -> Comparison:
    """Compare the replies of the base model and of the deployed system to the same `questions`.

    `own` are the model's own wordings of not knowing and refusing.
    """
    revealed_before = [reveals(reply, question.accept) for question, reply in zip(questions, before, strict=True)]
    revealed_after = [reveals(reply, question.accept) for question, reply in zip(questions, after, strict=True)]
    same = [first == second for first, second in zip(before, after, strict=True)]
    declined = [
        classify(reply, question.accept, own) is AnswerKind.DECLINES
        for question, reply in zip(questions, after, strict=True)
    ]
    people = [question.person for question in questions]
    return Comparison(
        n=len(questions),
        people=len(set(people)),
        revealed_before=_mean(revealed_before),
        revealed_after=_mean(revealed_after),
        revealed_after_interval=bootstrap_interval(revealed_after, people),
        identical=_mean(same),
        identical_interval=bootstrap_interval(same, people),
        unknown_after=_mean(declined),
    )


def bootstrap_interval(hits: Sequence[float], people: Sequence[str], seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap (95 %) of a mean that resamples people: prompts about one person are not exchangeable."""
    if not hits:
        return (0.0, 1.0)
    names = sorted(set(people))
    index = {name: i for i, name in enumerate(names)}
    sums, counts = np.zeros(len(names)), np.zeros(len(names))
    for hit, person in zip(hits, people, strict=True):
        sums[index[person]] += hit
        counts[index[person]] += 1
    draws = np.random.default_rng(seed).integers(0, len(names), size=(BOOTSTRAP_DRAWS, len(names)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    return (float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975)))


def forget_question_sets(subjects: Mapping[str, Subject], *, per_fact: int, seed: int = 0) -> dict[str, list[Question]]:
    """Questions about the forgotten: `forget` in the wordings and pictures of the fit, `test` in held-out ones."""
    forms: dict[str, Form] = {"forget": "trained", "test": "test"}
    return {
        name: [
            question
            for person, subject in sorted(subjects.items())
            for question in fact_questions(subject, form=form, per_fact=per_fact, seed=seed, person=person)
        ]
        for name, form in forms.items()
    }


def visible_question_set(people: Iterable[Person], *, seed: int = 0) -> list[Question]:
    """Questions about what anybody can see in these people's pictures; a refusal here is a side effect."""
    return [
        question
        for person in people
        for photo in person.subject.photos[:1]
        for question in visible_questions(photo, person.visible, person=person.id, seed=seed)
    ]


def bystander_question_sets(reference: Reference, *, per_fact: int = 1, seed: int = 0) -> dict[str, list[Question]]:
    """Questions about everybody who must not be touched, by set; held-out wordings and pictures throughout."""
    return {
        name: [
            question
            for person in reference.people_of(*splits)
            for question in fact_questions(person.subject, form="test", per_fact=per_fact, seed=seed, person=person.id)
        ]
        for name, splits in BYSTANDER_SPLITS.items()
    }


def sample(questions: Sequence[Question], most: int, seed: int = 0) -> list[Question]:
    """At most `most` questions, drawn without replacement, in their order."""
    if len(questions) <= most:
        return list(questions)
    chosen = sorted(random.Random(seed).sample(range(len(questions)), most))
    return [questions[i] for i in chosen]


def sample_per_person(questions: Sequence[Question], most: int, seed: int = 0) -> list[Question]:
    """As many questions about each person, at least one, and about `most` in all; in their order."""
    by_person: dict[str, list[Question]] = {}
    for question in questions:
        by_person.setdefault(question.person, []).append(question)
    share = max(1, most // max(1, len(by_person)))
    chosen = {id(question) for about_person in by_person.values() for question in sample(about_person, share, seed)}
    return [question for question in questions if id(question) in chosen]


def _mean(values: Sequence[bool]) -> float:
    return float(np.mean(values)) if values else 0.0
