"""The question sets of the tables: set x (picture | text) x task, evenly over people, the same for every system.

The sets are the paper's four (forget, test, retain, celebrity) and two more: people the fit never saw, and strangers.
Wordings are drawn with another seed than those of the fit (`SEED`), and evaluation splits are never fitted. This module
knows no systems.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from shared.domain.subjects import Subject
from shared.evaluation.paper_tasks import COLUMNS, KINDS, Task, sample_evenly, task_questions
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference
from shared.probes.questions import Question, fact_questions
from shared.probes.templates import Form

SEED: Final = 1
SETS: Final = ("forget", "test", "retain", "celebrity", "held_out", "stranger")
FORGOTTEN: Final = ("forget", "test")


@dataclass(frozen=True)
class QuestionSet:
    """The questions of one cell. Sets with the same `cache_key` are the same, whichever system is asked."""

    set: str
    column: str
    task: Task
    questions: tuple[Question, ...]
    cache_key: str


def question_sets(
    reference: Reference, people: Sequence[Person], ratio: int, columns: Sequence[str], most: int
) -> list[QuestionSet]:
    """All question sets for a list of forgotten `people`, at most `most` questions each."""
    sets: list[QuestionSet] = []
    for name, (subjects, form) in _sets(reference, people).items():
        for task in KINDS:
            asked = task_questions(
                subjects, form, task, partial(reference.wrong_answers, seed=SEED), per_fact=2, seed=SEED
            )
            for column in columns:
                own = [question for question in asked if question.by == COLUMNS[column]]
                chosen = tuple(sample_evenly(own, most, SEED))
                scope = f"{ratio}/{' '.join(person.id for person in people)}/" if name in FORGOTTEN else ""
                sets.append(QuestionSet(name, column, task, chosen, f"{scope}{name}/{column}/{task}"))
    return sets


def examples(reference: Reference, people: Sequence[Person]) -> list[tuple[str, Question]]:
    """Ten questions for the case study and the timing: two of each set, one by picture and one by text."""
    chosen: list[tuple[str, Question]] = []
    for name, (subjects, form) in _sets(reference, people).items():
        if name == "celebrity":
            continue
        person, subject = sorted(subjects.items())[0]
        asked = fact_questions(subject, form=form, per_fact=2, seed=SEED, person=person)
        for by, attribute in (("portrait", "hobby"), ("name", "occupation")):  # the preferred attribute, else any other
            facts = [question for question in asked if question.by == by and question.attribute != "name"]
            chosen.append((name, min(facts, key=lambda question: question.attribute != attribute)))
    return chosen


def _sets(reference: Reference, people: Sequence[Person]) -> dict[str, tuple[Mapping[str, Subject], Form]]:
    def of(split: str) -> dict[str, Subject]:
        return {person.id: person.subject for person in reference.of(split)}

    own = {person.id: person.subject for person in people}
    return {
        "forget": (own, "trained"),
        "test": (own, "test"),
        "retain": (of("retain_fit"), "trained"),
        "celebrity": (of("celebrity_eval"), "test"),
        "held_out": (of("held_out"), "test"),
        "stranger": (of("stranger_eval"), "test"),
    }
