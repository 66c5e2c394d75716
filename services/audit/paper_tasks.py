"""The paper's three tasks (classification, generation, cloze), before and after, on five sets, by picture and by text.

The published scorers and strict ones (shared/evaluation/paper_tasks.py) score the replies; one eraser configuration
serves all tasks. Strangers have no true answers: `suite.py` asks about them instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from services.audit.evaluator import BeforeAfter, Evaluator
from shared.core.progress import Progress
from shared.domain.subjects import Subject
from shared.erasure.eraser import Eraser
from shared.evaluation import paper_tasks as scoring
from shared.evaluation.comparison import BYSTANDER_SPLITS
from shared.evaluation.paper_tasks import Replies, Task
from shared.evaluation.reference import Reference
from shared.probes.questions import Question
from shared.probes.templates import Form

QUESTIONS_PER_CELL: Final = 24  # at most; a cell is set x task x (picture | text)


@dataclass(frozen=True)
class _PeopleSet:
    """A set of people, and in which wordings they are asked about. `cached`: the same people in every audit."""

    people: Mapping[str, Subject]
    form: Form
    cached: bool


def paper_tasks(
    evaluator: Evaluator,
    reference: Reference,
    eraser: Eraser,
    subjects: Mapping[str, Subject],
    progress: Progress,
    *,
    seed: int = 0,
    reference_key: str = "",
) -> dict[str, Any]:
    """`{set: {"vqa"|"qa": {task: {metric: {"before", "after"}, "n"}}}}`; shares, ROUGE-L F in 0..1.

    `reference_key` names this choice of reference people: the base model's answers about them are cached under it.
    """

    def bystanders(name: str) -> dict[str, Subject]:
        return {person.id: person.subject for person in reference.people_of(*BYSTANDER_SPLITS[name])}

    sets = {
        "forget": _PeopleSet(subjects, "trained", cached=False),
        "test": _PeopleSet(subjects, "test", cached=False),
        "retain": _PeopleSet(bystanders("retain"), "trained", cached=True),
        "held_out": _PeopleSet(bystanders("held_out"), "test", cached=True),
        "celebrity": _PeopleSet(bystanders("celebrity"), "test", cached=True),
    }
    wrong_answers = partial(reference.wrong_answers, seed=seed)
    table: dict[str, Any] = {}
    asked: list[tuple[str, str, Task, list[Question], str | None]] = []
    for name, people_set in sets.items():
        if not people_set.people:
            continue
        table[name] = {"vqa": {}, "qa": {}}
        for task, kind in scoring.KINDS.items():
            questions = scoring.task_questions(people_set.people, people_set.form, task, wrong_answers, seed=seed)
            for column, by in scoring.COLUMNS.items():
                chosen = scoring.every_kth([q for q in questions if q.by == by], QUESTIONS_PER_CELL)
                if chosen:
                    cache_key = f"{name}/{kind}/{by}/{reference_key}" if people_set.cached else None
                    asked.append((name, column, task, chosen, cache_key))
    counter = progress.counter(sum(len(chosen) for *_, chosen, _ in asked), "questions")
    for name, column, task, chosen, cache_key in asked:
        table[name][column][task] = _cell(evaluator, eraser, task, chosen, cache_key) | {"n": len(chosen)}
        counter(len(chosen))
    return table


def _cell(
    evaluator: Evaluator, eraser: Eraser, task: Task, questions: Sequence[Question], cache_key: str | None
) -> dict[str, Any]:
    """The mean of each metric of the task, before and after."""
    replies = _replies(evaluator, eraser, task, questions, cache_key)
    if task == "classification":
        metrics: tuple[str, ...] = ("letter_legacy", "likelihood")
        before = scoring.classification(questions, replies.before)
        after = scoring.classification(questions, replies.after)
    else:
        score = scoring.generation if task == "generation" else scoring.cloze
        before, after = score(questions, replies.before), score(questions, replies.after)
        metrics = tuple(before)
    return {
        metric: {"before": sum(before[metric]) / len(questions), "after": sum(after[metric]) / len(questions)}
        for metric in metrics
    }


def _replies(
    evaluator: Evaluator, eraser: Eraser, task: Task, questions: Sequence[Question], cache_key: str | None
) -> BeforeAfter[Replies]:
    """A choice is asked by letter; the likelihoods of its options are computed in the order that is shown."""
    prompts, most = [question.prompt for question in questions], scoring.NEW_TOKENS[task]
    if task != "classification":
        answers = evaluator.answers(prompts, eraser, cache_key=cache_key, max_new_tokens=most)
        return BeforeAfter(
            Replies([answer.text for answer in answers.before]), Replies([answer.text for answer in answers.after])
        )
    by_letter = [scoring.by_letter(prompt) for prompt in prompts]
    letter_key = f"{cache_key}/letter" if cache_key else None
    letters = evaluator.answers(by_letter, eraser, cache_key=letter_key, max_new_tokens=most)
    options = [question.options for question in questions]
    likelihoods = evaluator.likelihoods(prompts, options, eraser, cache_key=cache_key)
    return BeforeAfter(
        Replies([answer.text for answer in letters.before], [likelihoods.before]),
        Replies([answer.text for answer in letters.after], [likelihoods.after]),
    )
