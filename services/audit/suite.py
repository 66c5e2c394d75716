"""The audit of one eraser version, in order: integrity, who still tells what, the paper's three tasks, side effects.

Asks through the same engine that serves. Knows nothing of queues, rows or stores; the verdict is made in `verdict.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from services.audit.evaluator import Evaluator
from services.audit.operator_retain_set import OperatorRetainSet, side_by_side
from services.audit.paper_tasks import paper_tasks
from shared.domain.subjects import Subject
from shared.erasure.eraser import Eraser
from shared.evaluation.comparison import Comparison, bystander_panels, compare, forget_panels, sample, sample_each
from shared.evaluation.reference import Reference
from shared.probes.questions import Question, visible_questions
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer

Progress = Callable[[str], None]
FORGET_QUESTIONS = 320  # about, over all tickets, of each at least one; which ones is drawn by seed
BYSTANDER_QUESTIONS = 120  # at most, for each set
ASKED_AGAIN = 6  # of each bystander set: answers that did not fire, asked end to end


@dataclass
class Suite:
    """A base model with its reference people. Keeps the base model's own answers, which no eraser changes."""

    engine: Engine
    reference: Reference
    per_fact: int = 2
    seed: int = 1  # not the seed of the fit: other draws of the same forms
    _asker: Evaluator = field(init=False)

    def __post_init__(self) -> None:
        self._asker = Evaluator(self.engine)

    def audit(
        self,
        eraser: Eraser,
        subjects: Mapping[str, Subject],
        progress: Progress,
        own_set: OperatorRetainSet | None = None,
    ) -> dict[str, Any]:
        """The whole report on `eraser`, whose tickets speak of `subjects` (ticket id -> person).

        `own_set` is the operator's own retain set that the eraser was made with.
        """
        reference = own_set.without_absent(self.reference) if own_set else self.reference
        lasting = own_set.key if own_set else ""
        panels = bystander_panels(reference, seed=self.seed) | (own_set.panels(seed=self.seed) if own_set else {})
        bystanders = {name: sample(questions, BYSTANDER_QUESTIONS, self.seed) for name, questions in panels.items()}
        own: dict[str, list[Question]] = {
            name: sample_each(questions, FORGET_QUESTIONS, self.seed)
            for name, questions in forget_panels(subjects, per_fact=self.per_fact, seed=self.seed).items()
        }
        own["visible"] = [
            question
            for person, subject in sorted(subjects.items())
            for photo in subject.photos[:1]
            for draw in range(2)
            for question in visible_questions(photo, {}, person=person, seed=self.seed + 100 + draw, form="test")
        ]
        report: dict[str, Any] = {"panels": {}, "tickets": {}, "fire_rate": {}}
        unfired: list[tuple[Question, Answer]] = []
        for name, questions in (own | bystanders).items():
            if not questions:
                continue
            progress(f"asking the {name} set")
            keep = f"panel/{name}/{lasting}" if name in bystanders else None
            before, after = self._asker.answers([q.prompt for q in questions], eraser, keep=keep)
            report["panels"][name] = self._compare(questions, before, after).as_json()
            report["fire_rate"][name] = sum(answer.fired for answer in after) / len(after)
            if name in ("forget", "test"):
                self._by_ticket(report["tickets"], name, questions, before, after)
            else:
                still = [pair for pair in zip(questions, after, strict=True) if not pair[1].fired]
                unfired += still[:: max(1, len(still) // ASKED_AGAIN)][:ASKED_AGAIN]
        if own_set is not None and own_set.number is not None:
            report["retain_set"] = side_by_side(own_set.number, report["panels"])
        progress("integrity")
        report["integrity"] = self.integrity(eraser, own["forget"], unfired)
        progress("the paper's tasks")
        report["paper_tasks"] = paper_tasks(self._asker, reference, eraser, subjects, seed=self.seed, lasting=lasting)
        report["asked_again"] = len(unfired)
        report["not_run"] = [
            "sampling at temperature 0.7 and 1.0",
            "black-box attacks",
            "white-box attacks",
            "likelihood attacks",
        ]
        report["claim"] = "Suppression at inference time; the base model's weights are unchanged."
        return report

    def integrity(
        self, eraser: Eraser, forget: Sequence[Question], unfired: Sequence[tuple[Question, Answer]]
    ) -> dict[str, bool]:
        """P0: off is the base bit for bit, on differs where it should, a batch answers as its rows do alone.

        `unfired` are bystanders whose answers were taken over from the base model: asked again, end to end.
        """
        prompts = [question.prompt for question in forget[:8]]
        bystander = [q.prompt for q in bystander_panels(self.reference, seed=self.seed)["retain"][:4]]
        off = Eraser.empty(eraser.recipe, eraser.site)
        base = self.engine.generate(prompts + bystander, eraser=None)
        silent = self.engine.generate(prompts + bystander, eraser=off)
        checks = {
            "off_equals_base": [a.tokens for a in base] == [a.tokens for a in silent],
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

    def _compare(self, questions: Sequence[Question], before: Sequence[Answer], after: Sequence[Answer]) -> Comparison:
        return compare(questions, [a.text for a in before], [a.text for a in after], self.reference.unknown_answer)

    def _by_ticket(
        self,
        tickets: dict[str, Any],
        panel: str,
        questions: Sequence[Question],
        before: Sequence[Answer],
        after: Sequence[Answer],
    ) -> None:
        for ticket in sorted({question.person for question in questions}):
            rows = [i for i, question in enumerate(questions) if question.person == ticket]
            figures = self._compare([questions[i] for i in rows], [before[i] for i in rows], [after[i] for i in rows])
            tickets.setdefault(ticket, {})[panel] = figures.as_json()
