"""The audit of one eraser version, in order: who still reveals what, integrity, the paper's three tasks, side effects.

The suite asks through the same engine that serves. It knows nothing of queues, database rows or stores; `verdict.py`
judges its report.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from services.audit.evaluator import BeforeAfter, Evaluator
from services.audit.left_out import left_out_panels, left_out_tasks, sentences
from services.audit.operator_retain_set import OperatorRetainSet, side_by_side
from services.audit.paper_tasks import paper_tasks
from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.erasure.eraser import Eraser
from shared.evaluation.comparison import (
    Comparison,
    bystander_question_sets,
    compare,
    forget_question_sets,
    sample,
    sample_per_person,
)
from shared.evaluation.paper_tasks import KINDS
from shared.evaluation.reference import Reference
from shared.probes.questions import Question, visible_questions
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer

Progress = Callable[[str], None]
FORGET_QUESTIONS = 320  # about, over all tickets, and at least one for each; the seed draws them
BYSTANDER_QUESTIONS = 120  # at most, for each set
ASKED_AGAIN = 6  # of each bystander set: answers that did not fire, asked from beginning to end


@dataclass
class Suite:
    """A base model with its reference people. It keeps the base model's own answers, which no eraser changes."""

    engine: Engine
    reference: Reference
    per_fact: int = 2
    seed: int = 1  # not the seed of the fit: other draws of the same forms
    _evaluator: Evaluator = field(init=False)

    def __post_init__(self) -> None:
        self._evaluator = Evaluator(self.engine)
        if not self.engine.reads_pictures:
            people = (replace(person, subject=self.engine.readable(person.subject)) for person in self.reference.people)
            self.reference = replace(self.reference, people=tuple(people))

    def audit(
        self,
        eraser: Eraser,
        subjects: Mapping[str, Subject],
        progress: Progress,
        operator_set: OperatorRetainSet | None = None,
    ) -> dict[str, Any]:
        """The whole report on `eraser`, whose tickets are about `subjects` (ticket id -> person).

        `operator_set` is the operator's own retain set that the eraser was made with.
        """
        subjects = {ticket: self.engine.readable(subject) for ticket, subject in subjects.items()}
        if operator_set is not None and not self.engine.reads_pictures:
            operator_set = operator_set.without_pictures()
        reference = operator_set.reference_without_excluded(self.reference) if operator_set else self.reference
        reference_key = operator_set.key if operator_set else ""
        bystanders = self._bystander_questions(reference, operator_set)
        about_subjects = self._subject_questions(subjects)
        report: dict[str, Any] = {"panels": {}, "tickets": {}, "fire_rate": {}}
        unfired: list[tuple[Question, Answer]] = []
        for name, questions in (about_subjects | bystanders).items():
            if not questions:
                continue
            progress(f"asking the {name} set")
            cache_key = f"panel/{name}/{reference_key}" if name in bystanders else None
            answers = self._evaluator.answers([q.prompt for q in questions], eraser, cache_key=cache_key)
            report["panels"][name] = self._compare(questions, answers).as_json()
            report["fire_rate"][name] = sum(answer.fired for answer in answers.after) / len(questions)
            if name in ("forget", "test"):
                self._by_ticket(report["tickets"], name, questions, answers)
            else:
                silent = [pair for pair in zip(questions, answers.after, strict=True) if not pair[1].fired]
                unfired += silent[:: max(1, len(silent) // ASKED_AGAIN)][:ASKED_AGAIN]
        if operator_set is not None and operator_set.number is not None:
            report["retain_set"] = side_by_side(operator_set.number, report["panels"])
        progress("integrity")
        report["integrity"] = self.integrity(eraser, about_subjects["forget"], unfired)
        progress("the paper's tasks")
        report["paper_tasks"] = paper_tasks(
            self._evaluator, reference, eraser, subjects, seed=self.seed, reference_key=reference_key
        )
        panels = left_out_panels(about_subjects | bystanders if subjects else bystanders, reference)
        report["left_out"] = panels | left_out_tasks(report["paper_tasks"], tuple(KINDS))
        report["asked_again"] = len(unfired)
        report["not_run"] = [
            "sampling at temperature 0.7 and 1.0",
            "black-box attacks",
            "white-box attacks",
            "likelihood attacks",
            *sentences(panels),
        ]
        report["claim"] = "Suppression at inference time; the base model's weights are unchanged."
        return report

    def integrity(
        self, eraser: Eraser, forget: Sequence[Question], unfired: Sequence[tuple[Question, Answer]]
    ) -> dict[str, bool]:
        """Off is the base model bit for bit, on differs where it should, a batch answers as its rows do alone.

        `unfired` are questions about bystanders whose answers were taken over from the base model: they are asked
        again, from beginning to end.
        """
        prompts = [question.prompt for question in forget[:8]]
        bystander = self._bystander_prompts()[:4]
        empty = Eraser.empty(eraser.recipe, eraser.site)
        base = self.engine.generate(prompts + bystander, eraser=None)
        off = self.engine.generate(prompts + bystander, eraser=empty)
        checks = {
            "off_equals_base": [a.tokens for a in base] == [a.tokens for a in off],
            "site_matches": eraser.site == self.engine.vlm.site,
            "finite": bool(torch.isfinite(eraser.directions).all()),
        }
        if prompts and eraser.tickets:
            on = self.engine.generate(prompts, eraser=eraser)
            alone = [self.engine.generate([prompt], eraser=eraser)[0] for prompt in prompts[:4]]
            checks["on_differs"] = any(a.tokens != b.tokens for a, b in zip(base, on, strict=False))
            checks["batch_equals_single"] = [a.tokens for a in on[:4]] == [a.tokens for a in alone]
        if eraser.tickets and eraser.recipe.decides:
            again = self.engine.generate([question.prompt for question, _ in unfired], eraser=eraser)
            checks["unfired_equals_base"] = [a.tokens for a in again] == [a.tokens for _, a in unfired]
        return checks

    def _bystander_prompts(self) -> list[Prompt]:
        """Prompts about others: of the first set that has any, else ordinary ones."""
        sets = bystander_question_sets(self.reference, seed=self.seed).values()
        questions = next((questions for questions in sets if questions), [])
        return [question.prompt for question in questions] or [Prompt.ask(text) for text in self.reference.general.test]

    def _bystander_questions(
        self, reference: Reference, operator_set: OperatorRetainSet | None
    ) -> dict[str, list[Question]]:
        """Questions about everybody who must not be touched, by set."""
        sets = bystander_question_sets(reference, seed=self.seed)
        if operator_set is not None and operator_set.number is not None:
            sets |= operator_set.question_sets(seed=self.seed)
        return {name: sample(questions, BYSTANDER_QUESTIONS, self.seed) for name, questions in sets.items()}

    def _subject_questions(self, subjects: Mapping[str, Subject]) -> dict[str, list[Question]]:
        """Questions about the people of the tickets: their facts in two forms, and what their pictures show."""
        sets = forget_question_sets(subjects, per_fact=self.per_fact, seed=self.seed)
        questions = {name: sample_per_person(asked, FORGET_QUESTIONS, self.seed) for name, asked in sets.items()}
        questions["visible"] = [
            question
            for person, subject in sorted(subjects.items())
            for photo in subject.photos[:1]
            for draw in range(2)
            for question in visible_questions(photo, {}, person=person, seed=self.seed + 100 + draw, form="test")
        ]
        return questions

    def _compare(self, questions: Sequence[Question], answers: BeforeAfter[list[Answer]]) -> Comparison:
        before, after = ([answer.text for answer in side] for side in (answers.before, answers.after))
        return compare(questions, before, after, self.reference.own_wordings)

    def _by_ticket(
        self,
        tickets: dict[str, Any],
        panel: str,
        questions: Sequence[Question],
        answers: BeforeAfter[list[Answer]],
    ) -> None:
        """Add the figures of each ticket to `tickets`: ticket id -> panel -> figures."""
        for ticket in sorted({question.person for question in questions}):
            rows = [i for i, question in enumerate(questions) if question.person == ticket]
            of_ticket = BeforeAfter([answers.before[i] for i in rows], [answers.after[i] for i in rows])
            figures = self._compare([questions[i] for i in rows], of_ticket)
            tickets.setdefault(ticket, {})[panel] = figures.as_json()
