"""The paper's three tasks (classification, generation, cloze) before and after, on five sets, for picture and text.

Both the published scorers and strict ones (shared/bench/scorers.py), one eraser configuration for all tasks.
Strangers have no true answers and stand in the panels of `suite.py` instead.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.bench.reference import Reference
from shared.bench.scorers import cloze_legacy, letter_legacy, rouge_l, tells
from shared.erasure.eraser import Eraser
from shared.probes.expand import Form, Question, Subject, fact_questions
from shared.vlm.engine import Engine

QUESTIONS_A_CELL = 48  # at most; a cell is set x task x (picture | text)


def paper_tasks(
    engine: Engine, reference: Reference, eraser: Eraser, subjects: Mapping[str, Subject], *, seed: int = 0
) -> dict[str, Any]:
    """`{set: {"vqa"|"qa": {task: {metric: {"before", "after"}, "n"}}}}`; shares, ROUGE-L F in 0..1."""
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
            table[name] = _one_set(engine, eraser, people, form, seed)
    return table


def _one_set(
    engine: Engine, eraser: Eraser, people: Mapping[str, Subject], form: Form, seed: int
) -> dict[str, dict[str, Any]]:
    cells: dict[str, dict[str, Any]] = {"vqa": {}, "qa": {}}
    for kind, task, score in (
        ("mcq", "classification", _classification),
        ("qa", "generation", _generation),
        ("cloze", "cloze", _cloze),
    ):
        questions = [
            question
            for person, subject in sorted(people.items())
            for question in fact_questions(subject, form=form, kinds=(kind,), per_fact=1, seed=seed, person=person)
        ]
        for column, by in (("vqa", "portrait"), ("qa", "name")):
            chosen = _spread([question for question in questions if question.by == by], QUESTIONS_A_CELL)
            if chosen:
                cells[column][task] = score(engine, eraser, chosen) | {"n": len(chosen)}
    return cells


def _classification(engine: Engine, eraser: Eraser, questions: Sequence[Question]) -> dict[str, Any]:
    prompts, options = [q.prompt for q in questions], [q.options for q in questions]
    figures: dict[str, Any] = {"letter_legacy": {}, "likelihood": {}}
    for moment, used in (("before", None), ("after", eraser)):
        letters = engine.generate(prompts, eraser=used, max_new_tokens=4)
        right = [letter_legacy(a.text, q.options, q.accept) for a, q in zip(letters, questions, strict=True)]
        figures["letter_legacy"][moment] = sum(right) / len(right)
        scores = engine.option_likelihood(prompts, options, eraser)
        picked = [q.options[max(range(len(s)), key=s.__getitem__)] for s, q in zip(scores, questions, strict=True)]
        figures["likelihood"][moment] = sum(p in q.accept for p, q in zip(picked, questions, strict=True)) / len(picked)
    return figures


def _generation(engine: Engine, eraser: Eraser, questions: Sequence[Question]) -> dict[str, Any]:
    figures: dict[str, Any] = {"rouge_l": {}, "told": {}}
    for moment, used in (("before", None), ("after", eraser)):
        answers = engine.generate([q.prompt for q in questions], eraser=used, max_new_tokens=50)
        figures["rouge_l"][moment] = sum(
            rouge_l(a.text, q.accept[0]) for a, q in zip(answers, questions, strict=True)
        ) / len(answers)
        figures["told"][moment] = sum(tells(a.text, q.accept) for a, q in zip(answers, questions, strict=True)) / len(
            answers
        )
    return figures


def _cloze(engine: Engine, eraser: Eraser, questions: Sequence[Question]) -> dict[str, Any]:
    figures: dict[str, Any] = {"legacy": {}, "strict": {}}
    for moment, used in (("before", None), ("after", eraser)):
        answers = engine.generate([q.prompt for q in questions], eraser=used)
        pairs = list(zip(answers, questions, strict=True))
        figures["legacy"][moment] = sum(cloze_legacy(a.text, q.accept[0]) for a, q in pairs) / len(pairs)
        figures["strict"][moment] = sum(tells(a.text, q.accept) for a, q in pairs) / len(pairs)
    return figures


def _spread(questions: Sequence[Question], most: int) -> list[Question]:
    """Every k-th, so that all people stand in the cell."""
    step = max(1, -(-len(questions) // most))
    return list(questions[::step])
