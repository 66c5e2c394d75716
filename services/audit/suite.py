"""The audit of one eraser version, in order: who still reveals what, integrity, the paper's three tasks, side effects.

The suite asks through the same engine that serves. It knows nothing of queues, database rows or stores; `verdict.py`
judges its report.
"""

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from services.audit.about_tickets import QUESTIONS, SETS, AboutTickets, ask_about_tickets
from services.audit.black_box import BlackBox, NearTickets, bystander_report
from services.audit.evaluator import BeforeAfter, Evaluator
from services.audit.leaks import leaks
from services.audit.left_out import left_out_panels, left_out_tasks, not_run
from services.audit.operator_retain_set import OperatorRetainSet, side_by_side
from services.audit.paper_tasks import paper_tasks
from shared.core.progress import Progress
from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.erasure.eraser import Eraser
from shared.evaluation.comparison import (
    Comparison,
    bystander_question_sets,
    compare,
    sample,
)
from shared.evaluation.known_facts import MOST, names_of_others, with_facts_to_ask
from shared.evaluation.paper_tasks import KINDS
from shared.evaluation.reference import Reference
from shared.probes.questions import Question, visible_questions
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer

LIGHT_QUESTIONS = 480  # of a set, over all tickets that are asked about a little; the seed draws them
BYSTANDER_QUESTIONS = 120  # at most, for each set
FEW_FACTS = 2  # that the model has to tell of an unchanged ticket that lists none, before it is asked no more
NEAR_TICKETS = 4  # tickets of an audit near which others are asked about
NEAR_QUESTIONS = 2  # of each family of bystanders, near each of these
ASKED_AGAIN = 6  # of each bystander set: answers that did not fire, asked from beginning to end


@dataclass
class Suite:
    """A base model with its reference people. It keeps the base model's own answers, which no eraser changes."""

    engine: Engine
    reference: Reference
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
        unchanged: Collection[str] = (),
    ) -> dict[str, Any]:
        """The whole report on `eraser`, whose tickets are about `subjects` (ticket id -> person).

        `operator_set` is the operator's own retain set that the eraser was made with. `unchanged` are tickets that an
        earlier version, which passed its audit, covers with the same fit: fewer questions are asked about them.
        """
        listed = {ticket: subject.facts for ticket, subject in subjects.items()}
        subjects = {
            ticket: self.asked_about(subject, enough=FEW_FACTS if ticket in unchanged else MOST)
            for ticket, subject in subjects.items()
        }
        if operator_set is not None and not self.engine.reads_pictures:
            operator_set = operator_set.without_pictures()
        reference = operator_set.reference_without_excluded(self.reference) if operator_set else self.reference
        reference_key = operator_set.key if operator_set else ""
        bystanders = self._bystander_questions(reference, operator_set)
        black_box = BlackBox(self.engine, reference, self.seed)
        about_tickets = ask_about_tickets(
            self._evaluator, black_box, eraser, subjects, unchanged, progress, most=LIGHT_QUESTIONS, seed=self.seed
        )
        report: dict[str, Any] = {"panels": {}, "tickets": {}, "fire_rate": {}, "changed_by": {}}
        for name in SETS:
            self._by_ticket(report, name, about_tickets)
        unfired: list[tuple[Question, Answer]] = []
        visible = {"visible": self._visible_questions(subjects)}
        for name, questions in (visible | bystanders).items():
            if not questions:
                continue
            progress.enter(f"asking the {name} set")
            cache_key = f"panel/{name}/{reference_key}" if name in bystanders else None
            counter = progress.counter(len(questions), QUESTIONS)
            answers = self._evaluator.answers(
                [q.prompt for q in questions], eraser, cache_key=cache_key, answered=counter
            )
            self._panel(report, name, questions, answers)
            if changed := changed_by(questions, answers, own=name == "visible"):
                report["changed_by"][name] = changed
            silent = [pair for pair in zip(questions, answers.after, strict=True) if not pair[1].fired]
            unfired += silent[:: max(1, len(silent) // ASKED_AGAIN)][:ASKED_AGAIN]
        told = leaks(about_tickets, listed)
        report["ticket_verdicts"] = {
            ticket: row | {"leaks": told[ticket]} for ticket, row in about_tickets.rows().items()
        }
        report["attacks"] = about_tickets.observed.tally.as_json() | {"families": about_tickets.observed.families()}
        progress.enter("asking near the tickets")
        full = {ticket: subjects[ticket] for ticket, depth in about_tickets.depth.items() if depth != "unchanged"}
        report["bystanders"] = bystander_report(self._near(black_box, eraser, full, progress))
        if operator_set is not None and operator_set.number is not None:
            report["retain_set"] = side_by_side(operator_set.number, report["panels"])
        progress.enter("integrity")
        report["integrity"] = self.integrity(eraser, about_tickets.sets["forget"].questions, unfired)
        progress.enter("the paper's tasks")
        report["paper_tasks"] = paper_tasks(
            self._evaluator, reference, eraser, subjects, progress, seed=self.seed, reference_key=reference_key
        )
        of_tickets = {name: asked.questions for name, asked in about_tickets.sets.items()} | visible
        panels = left_out_panels(of_tickets | bystanders if subjects else bystanders, reference)
        report["left_out"] = panels | left_out_tasks(report["paper_tasks"], tuple(KINDS))
        report["asked_again"] = len(unfired)
        report["not_run"] = not_run(report, panels)
        report["claim"] = "Suppression at inference time; the base model's weights are unchanged."
        return report

    def _near(
        self, black_box: BlackBox, eraser: Eraser, subjects: Mapping[str, Subject], progress: Progress
    ) -> NearTickets:
        """Questions near some of `subjects`: a few for each family, about NEAR_TICKETS tickets at most."""
        drawn = sorted(random.Random(self.seed).sample(sorted(subjects), min(NEAR_TICKETS, len(subjects))))
        return black_box.near(eraser, {ticket: subjects[ticket] for ticket in drawn}, NEAR_QUESTIONS, progress)

    def asked_about(self, subject: Subject, *, enough: int = MOST) -> Subject:
        """The person as the audit asks about them: by what the model tells of them where the ticket lists no facts."""
        subject = self.engine.readable(subject)
        return with_facts_to_ask(self.engine, subject, names_of_others(self.reference), enough=enough)

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

    def _visible_questions(self, subjects: Mapping[str, Subject]) -> list[Question]:
        """Questions about what the pictures of the people of the tickets show."""
        return [
            question
            for person, subject in sorted(subjects.items())
            for photo in subject.photos[:1]
            for draw in range(2)
            for question in visible_questions(photo, {}, person=person, seed=self.seed + 100 + draw, form="test")
        ]

    def _compare(self, questions: Sequence[Question], answers: BeforeAfter[list[Answer]]) -> Comparison:
        before, after = ([answer.text for answer in side] for side in (answers.before, answers.after))
        return compare(questions, before, after, self.reference.own_wordings)

    def _panel(
        self, report: dict[str, Any], name: str, questions: Sequence[Question], answers: BeforeAfter[list[Answer]]
    ) -> None:
        """Add the figures of one set to the report."""
        report["panels"][name] = self._compare(questions, answers).as_json()
        report["fire_rate"][name] = sum(answer.fired for answer in answers.after) / len(questions)

    def _by_ticket(self, report: dict[str, Any], name: str, about_tickets: AboutTickets) -> None:
        """Add the figures of a set of questions about the tickets, for all and for each (`tickets`: id -> set)."""
        asked = about_tickets.sets[name]
        if not asked.questions:
            return
        self._panel(report, name, asked.questions, asked.answers)
        for ticket in sorted({question.person for question in asked.questions}):
            own = asked.of({ticket})
            report["tickets"].setdefault(ticket, {})[name] = self._compare(own.questions, own.answers).as_json()


def changed_by(questions: Sequence[Question], answers: BeforeAfter[list[Answer]], *, own: bool) -> dict[str, int]:
    """How many answers of a set changed because of each ticket: the one that fired, or with `own` the one asked about.

    A change that no ticket fired for is counted for nobody.
    """
    changed = Counter(
        question.person if own else after.ticket
        for question, before, after in zip(questions, answers.before, answers.after, strict=True)
        if before.text != after.text
    )
    return {ticket: count for ticket, count in sorted(changed.items(), key=str) if ticket is not None}
