"""The paper's three tasks (classification, generation, cloze) before and after, on five sets, for picture and text.

Both the published scorers and strict ones (shared/evaluation/paper_tasks.py), one eraser configuration for all tasks.
Strangers have no true answers and stand in the panels of `suite.py` instead.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from services.audit.evaluator import Evaluator
from shared.domain.subjects import Subject
from shared.erasure.eraser import Eraser
from shared.evaluation import paper_tasks as evaluation_paper_tasks
from shared.evaluation.paper_tasks import Replies, Task
from shared.evaluation.reference import Reference
from shared.probes.questions import Question
from shared.probes.templates import Form

QUESTIONS_A_CELL = 24  # at most; a cell is set x task x (picture | text)


def paper_tasks(
    asker: Evaluator,
    reference: Reference,
    eraser: Eraser,
    subjects: Mapping[str, Subject],
    *,
    seed: int = 0,
    lasting: str = "",
) -> dict[str, Any]:
    """`{set: {"vqa"|"qa": {task: {metric: {"before", "after"}, "n"}}}}`; shares, ROUGE-L F in 0..1.

    `lasting` names this choice of reference people, whose base answers are kept from one audit to the next.
    """
    sets: dict[str, tuple[Mapping[str, Subject], Form]] = {
        "forget": (subjects, "trained"),
        "test": (subjects, "test"),
        "retain": ({p.id: p.subject for p in reference.of("retain_fit")}, "trained"),
        "held_out": ({p.id: p.subject for p in reference.of("held_out")}, "test"),
        "celebrity": ({p.id: p.subject for p in reference.of("celebrity_eval")}, "test"),
    }
    table: dict[str, Any] = {}
    for name, (people, form) in sets.items():
        if people:
            table[name] = _one_set(asker, reference, eraser, people, form, name, seed, lasting)
    return table


def _one_set(
    asker: Evaluator,
    reference: Reference,
    eraser: Eraser,
    people: Mapping[str, Subject],
    form: Form,
    name: str,
    seed: int,
    lasting: str,
) -> dict[str, dict[str, Any]]:
    cells: dict[str, dict[str, Any]] = {"vqa": {}, "qa": {}}
    for task, kind in evaluation_paper_tasks.KINDS.items():
        wrong = partial(reference.wrong_answers, seed=seed)
        questions = evaluation_paper_tasks.task_questions(people, form, task, wrong, seed=seed)
        for column, by in evaluation_paper_tasks.COLUMNS.items():
            chosen = evaluation_paper_tasks.every_kth(
                [question for question in questions if question.by == by], QUESTIONS_A_CELL
            )
            if chosen:
                keep = None if name in ("forget", "test") else f"{name}/{kind}/{by}/{lasting}"
                cells[column][task] = _cell(asker, eraser, task, chosen, keep) | {"n": len(chosen)}
    return cells


def _cell(
    asker: Evaluator, eraser: Eraser, task: Task, questions: Sequence[Question], keep: str | None
) -> dict[str, Any]:
    before, after = _replies(asker, eraser, task, questions, keep)
    if task == "classification":
        wanted: tuple[str, ...] = ("letter_legacy", "likelihood")
        scored = [evaluation_paper_tasks.classification(questions, one) for one in (before, after)]
    else:
        score = evaluation_paper_tasks.generation if task == "generation" else evaluation_paper_tasks.cloze
        scored = [score(questions, one) for one in (before, after)]
        wanted = tuple(scored[0])
    return {
        metric: {
            moment: sum(one[metric]) / len(questions) for moment, one in zip(("before", "after"), scored, strict=True)
        }
        for metric in wanted
    }


def _replies(
    asker: Evaluator, eraser: Eraser, task: Task, questions: Sequence[Question], keep: str | None
) -> tuple[Replies, Replies]:
    """(before, after). A choice is asked by letter, and its options are weighed in the order that is shown."""
    prompts, most = [question.prompt for question in questions], evaluation_paper_tasks.NEW_TOKENS[task]
    if task != "classification":
        before, after = asker.answers(prompts, eraser, keep=keep, max_new_tokens=most)
        return Replies([answer.text for answer in before]), Replies([answer.text for answer in after])
    lettered = [evaluation_paper_tasks.by_letter(prompt) for prompt in prompts]
    letters = asker.answers(lettered, eraser, keep=f"{keep}/letter" if keep else None, max_new_tokens=most)
    weighed = asker.likelihoods(prompts, [question.options for question in questions], eraser, keep=keep)
    first, second = (
        Replies([answer.text for answer in texts], [scores]) for texts, scores in zip(letters, weighed, strict=True)
    )
    return first, second
