"""The paper's three tasks (classification, generation, cloze) before and after, on five sets, for picture and text.

Both the published scorers and strict ones (shared/bench/scorers.py), one eraser configuration for all tasks.
Strangers have no true answers and stand in the panels of `suite.py` instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.audit.asking import Asker
from shared.bench.reference import Reference
from shared.bench.scorers import cloze_legacy, letter_legacy, rouge_l, tells
from shared.erasure.eraser import Eraser
from shared.probes import phrasings
from shared.probes.expand import Form, Kind, Question, Subject, fact_questions
from shared.prompt import Prompt, Turn

QUESTIONS_A_CELL = 24  # at most; a cell is set x task x (picture | text)


@dataclass(frozen=True)
class Cell:
    """Questions of one kind; `keep` names those that are the same at every audit."""

    questions: list[Question]
    keep: str | None

    @property
    def prompts(self) -> list[Prompt]:
        """What is asked."""
        return [question.prompt for question in self.questions]


def paper_tasks(
    asker: Asker, reference: Reference, eraser: Eraser, subjects: Mapping[str, Subject], *, seed: int = 0
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
            table[name] = _one_set(asker, reference, eraser, people, form, name, seed)
    return table


def _one_set(
    asker: Asker,
    reference: Reference,
    eraser: Eraser,
    people: Mapping[str, Subject],
    form: Form,
    name: str,
    seed: int,
) -> dict[str, dict[str, Any]]:
    cells: dict[str, dict[str, Any]] = {"vqa": {}, "qa": {}}
    tasks: tuple[tuple[Kind, str, Any], ...] = (
        ("mcq", "classification", _classification),
        ("qa", "generation", _generation),
        ("cloze", "cloze", _cloze),
    )
    for kind, task, score in tasks:
        questions = [
            question
            for person, subject in sorted(people.items())
            for question in fact_questions(
                subject,
                form=form,
                kinds=(kind,),
                per_fact=1,
                seed=seed,
                person=person,
                options=reference.wrong_answers(subject, seed),
            )
        ]
        for column, by in (("vqa", "portrait"), ("qa", "name")):
            chosen = _spread([question for question in questions if question.by == by], QUESTIONS_A_CELL)
            if chosen:
                keep = None if name in ("forget", "test") else f"{name}/{kind}/{by}"
                cells[column][task] = score(asker, eraser, Cell(chosen, keep)) | {"n": len(chosen)}
    return cells


def _classification(asker: Asker, eraser: Eraser, cell: Cell) -> dict[str, Any]:
    questions = cell.questions
    lettered = [_by_letter(prompt) for prompt in cell.prompts]
    keep = f"{cell.keep}/letter" if cell.keep else None
    letters = asker.answers(lettered, eraser, keep=keep, max_new_tokens=4)
    likely = asker.likelihoods(cell.prompts, [q.options for q in questions], eraser, keep=cell.keep)
    figures: dict[str, Any] = {"letter_legacy": {}, "likelihood": {}}
    for moment, replies, scores in zip(("before", "after"), letters, likely, strict=True):
        right = [letter_legacy(a.text, q.options, q.accept) for a, q in zip(replies, questions, strict=True)]
        picked = [q.options[max(range(len(s)), key=s.__getitem__)] for s, q in zip(scores, questions, strict=True)]
        figures["letter_legacy"][moment] = sum(right) / len(right)
        figures["likelihood"][moment] = sum(p in q.accept for p, q in zip(picked, questions, strict=True)) / len(picked)
    return figures


def _generation(asker: Asker, eraser: Eraser, cell: Cell) -> dict[str, Any]:
    figures: dict[str, Any] = {"rouge_l": {}, "told": {}}
    moments = asker.answers(cell.prompts, eraser, keep=cell.keep, max_new_tokens=50)
    for moment, replies in zip(("before", "after"), moments, strict=True):
        pairs = list(zip(replies, cell.questions, strict=True))
        figures["rouge_l"][moment] = sum(rouge_l(a.text, q.accept[0]) for a, q in pairs) / len(pairs)
        figures["told"][moment] = sum(tells(a.text, q.accept) for a, q in pairs) / len(pairs)
    return figures


def _cloze(asker: Asker, eraser: Eraser, cell: Cell) -> dict[str, Any]:
    figures: dict[str, Any] = {"legacy": {}, "strict": {}}
    moments = asker.answers(cell.prompts, eraser, keep=cell.keep)
    for moment, replies in zip(("before", "after"), moments, strict=True):
        pairs = list(zip(replies, cell.questions, strict=True))
        figures["legacy"][moment] = sum(cloze_legacy(a.text, q.accept[0]) for a, q in pairs) / len(pairs)
        figures["strict"][moment] = sum(tells(a.text, q.accept) for a, q in pairs) / len(pairs)
    return figures


def _by_letter(prompt: Prompt) -> Prompt:
    last = prompt.turns[-1]
    return Prompt((*prompt.turns[:-1], Turn(last.role, phrasings.by_letter(last.text), last.images)))


def _spread(questions: Sequence[Question], most: int) -> list[Question]:
    """Every k-th, so that all people stand in the cell."""
    step = max(1, -(-len(questions) // most))
    return list(questions[::step])
