"""Can one tell from the answers who was erased? A classifier of erased people against strangers, by likelihoods.

Features of a question: log-likelihood of the not-knowing answer, of the true option, and of three wrong ones in order.
Fisher's discriminant, each person left out in turn; the area under its ROC curve is 0.5 where nothing can be told.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from shared.bench.reference import Person, Reference
from shared.erasure.eraser import Eraser
from shared.probes.expand import fact_questions
from shared.vlm.engine import Engine

Rows = npt.NDArray[np.float64]
SHRINKAGE = 0.1


def stranger_auc(engine: Engine, reference: Reference, eraser: Eraser | None, erased: Sequence[Person]) -> float:
    """Area under the ROC curve of erased people (1) against strangers (0); without an eraser, of known people."""
    strangers = reference.of("stranger_eval")[: len(erased)]
    sides = [_features(engine, reference, eraser, people) for people in (strangers, erased)]
    rows = np.concatenate([features for features, _ in sides])
    people = [name for _, names in sides for name in names]
    labels = np.repeat([0, 1], [len(features) for features, _ in sides])
    scores = np.zeros(len(rows))
    for name in sorted(set(people)):
        inside = np.array([one == name for one in people])
        scores[inside] = rows[inside] @ _discriminant(rows[~inside], labels[~inside])
    return auc(scores[labels == 1], scores[labels == 0])


def auc(positive: Rows, negative: Rows) -> float:
    """Share of pairs in the right order, ties half (Mann and Whitney 1947)."""
    gaps = positive[:, None] - negative[None, :]
    return float((gaps > 0).mean() + 0.5 * (gaps == 0).mean())


def _features(
    engine: Engine, reference: Reference, eraser: Eraser | None, people: Sequence[Person]
) -> tuple[Rows, list[str]]:
    asked = [
        question
        for person in people
        for question in fact_questions(person.subject, form="test", per_fact=2, seed=3, person=person.id)
    ]
    wrong = {person.id: person.options for person in people}
    options = [
        (reference.unknown_answer, question.accept[0], *wrong[question.person][question.attribute][:3])
        for question in asked
    ]
    likely = engine.option_likelihood([question.prompt for question in asked], options, eraser=eraser)
    rows = np.array([[one[0], one[1], *sorted(one[2:])] for one in likely])
    return rows, [question.person for question in asked]


def _discriminant(rows: Rows, labels: npt.NDArray[np.int64]) -> Rows:
    means = [rows[labels == side].mean(axis=0) for side in (0, 1)]
    centred = np.concatenate([rows[labels == side] - means[side] for side in (0, 1)])
    scatter = centred.T @ centred / len(centred)
    scatter += SHRINKAGE * np.diag(scatter).mean() * np.eye(len(scatter))
    weights: Rows = np.linalg.solve(scatter, means[1] - means[0])
    return weights
