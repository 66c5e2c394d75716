"""Membership inference: can a classifier of likelihoods distinguish erased people from strangers?

The features of a question are the log-likelihoods of the not-knowing answer, of the true option, and of three wrong
options in sorted order. The classifier is Fisher's discriminant, with each person left out in turn. The area under its
ROC curve is 0.5 where the two groups cannot be distinguished.

The comparison is made in three ways. `swapped`: the same questions with the same options, once about the erased person
and once about a stranger in that person's place; this is what a ticket promises. `apart`: strangers with questions and
options of their own. This also shows what no steering of a person can hide: a date or an address that the weights have
learnt is likelier than an unknown one, whoever is asked about. `chance`: strangers in the place of other strangers.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Eraser
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference
from shared.probes.image_changes import changed
from shared.probes.questions import Question, fact_questions
from shared.vlm.engine import Engine
from shared.vlm.likelihood import option_likelihood

Rows = npt.NDArray[np.float64]
SHRINKAGE = 0.1


def erased_against_strangers_auc(
    engine: Engine, reference: Reference, eraser: Eraser | None, erased: Sequence[Person]
) -> dict[str, float]:
    """Areas under the ROC curve of erased people (1) against strangers (0); without an eraser, of known people (1)."""
    strangers = reference.of("stranger_eval")
    own, others = strangers[: len(erased)], strangers[-len(erased) :]
    asked, theirs = _base_answers(erased), _base_answers(own)
    known = _features(engine, reference, eraser, asked, erased)
    return {
        "swapped": _separability(
            known, _features(engine, reference, eraser, _put_in_place(asked, erased, own), erased)
        ),
        "apart": _separability(known, _features(engine, reference, eraser, theirs, own)),
        "chance": _separability(
            _features(engine, reference, eraser, theirs, own),
            _features(engine, reference, eraser, _put_in_place(theirs, own, others), own),
        ),
    }


@dataclass(frozen=True)
class _Features:
    """Features [n, 5], and the person of each row."""

    rows: Rows
    people: list[str]


def _separability(positive: _Features, negative: _Features) -> float:
    sides = (negative, positive)
    rows = np.concatenate([side.rows for side in sides])
    people = [name for side in sides for name in side.people]
    labels = np.repeat([0, 1], [len(side.rows) for side in sides])
    scores = np.zeros(len(rows))
    for name in sorted(set(people)):
        inside = np.array([person == name for person in people])
        scores[inside] = rows[inside] @ _discriminant(rows[~inside], labels[~inside])
    return auc(scores[labels == 1], scores[labels == 0])


def auc(positive: Rows, negative: Rows) -> float:
    """Share of pairs in the right order; ties count half (Mann and Whitney 1947)."""
    gaps = positive[:, None] - negative[None, :]
    return float((gaps > 0).mean() + 0.5 * (gaps == 0).mean())


def _features(
    engine: Engine,
    reference: Reference,
    eraser: Eraser | None,
    asked: Sequence[Question],
    people: Sequence[Person],
) -> _Features:
    """The features of the answers to `asked`; the options are those of `people`."""
    wrong = {person.id: person.options for person in people}
    options = [
        (reference.wording("unknown_answer"), question.accept[0], *wrong[question.person][question.attribute][:3])
        for question in asked
    ]
    likely = option_likelihood(engine, [question.prompt for question in asked], options, eraser=eraser)
    rows = np.array([[scores[0], scores[1], *sorted(scores[2:])] for scores in likely])
    return _Features(rows, [question.person for question in asked])


def _base_answers(people: Sequence[Person]) -> list[Question]:
    return [
        question
        for person in people
        for question in fact_questions(person.subject, form="test", per_fact=2, seed=3, person=person.id)
    ]


def _put_in_place(asked: Sequence[Question], people: Sequence[Person], strangers: Sequence[Person]) -> list[Question]:
    """The same questions with each person's name and picture replaced by a stranger's."""
    rng = random.Random(7)
    names = {person.id: person.subject.names[0] for person in people}
    other = {person.id: stranger.subject for person, stranger in zip(people, strangers, strict=True)}
    questions = []
    for question in asked:
        stranger, (turn,) = other[question.person], question.prompt.turns
        pictures = tuple(changed(stranger.photos[0], "test", rng) for _ in turn.images)
        text = turn.text.replace(names[question.person], stranger.names[0])
        questions.append(replace(question, prompt=Prompt((Turn(turn.role, text, pictures),))))
    return questions


def _discriminant(rows: Rows, labels: npt.NDArray[np.int64]) -> Rows:
    means = [rows[labels == side].mean(axis=0) for side in (0, 1)]
    centred = np.concatenate([rows[labels == side] - means[side] for side in (0, 1)])
    scatter = centred.T @ centred / len(centred)
    scatter += SHRINKAGE * np.diag(scatter).mean() * np.eye(len(scatter))
    weights: Rows = np.linalg.solve(scatter, means[1] - means[0])
    return weights
