"""Questions about the people of the tickets: changed tickets in full, every other one with a few questions.

Where the answers to the few questions tell anything, the same audit asks about that ticket in full.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.audit.black_box import BlackBox, Observed
from services.audit.evaluator import BeforeAfter, Evaluator
from shared.core.progress import Progress
from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.erasure.eraser import Eraser
from shared.evaluation.attacks.results import clopper_pearson
from shared.evaluation.comparison import forget_question_sets, sample
from shared.evaluation.scorers import reveals
from shared.probes.questions import Question
from shared.vlm.generation import Answer

IN_FULL: Final = 30  # questions of a set about a changed ticket: 60 of both, and the attacks beside
A_LITTLE: Final = 4  # of a set about any other ticket
SETS: Final = ("forget", "test")
ASKING: Final = "asking about the tickets"
ATTACKING: Final = "attacking the tickets"
QUESTIONS: Final = "questions"


@dataclass(frozen=True)
class AskedOf:
    """The questions of one set, and the answers of both models."""

    questions: list[Question]
    answers: BeforeAfter[list[Answer]]

    def of(self, tickets: Collection[str]) -> "AskedOf":
        """Those about some of the tickets."""
        rows = [row for row, question in enumerate(self.questions) if question.person in tickets]
        before, after = self.answers.before, self.answers.after
        answers = BeforeAfter([before[row] for row in rows], [after[row] for row in rows])
        return AskedOf([self.questions[row] for row in rows], answers)

    def followed_by(self, other: "AskedOf") -> "AskedOf":
        """Both, one after the other."""
        before = [*self.answers.before, *other.answers.before]
        return AskedOf(
            self.questions + other.questions, BeforeAfter(before, [*self.answers.after, *other.answers.after])
        )

    def told(self, answers: Sequence[Answer]) -> int:
        """How many of the answers tell what was asked for."""
        return sum(reveals(a.text, q.accept) for q, a in zip(self.questions, answers, strict=True))


@dataclass(frozen=True)
class AboutTickets:
    """All that was asked about the tickets: the questions by set, and the attacks.

    `depth` of a ticket is `changed` or `unchanged` since the version that it is compared with, or
    `asked_again`: unchanged, and asked about in full as the few questions brought something out.
    """

    sets: Mapping[str, AskedOf]
    observed: Observed
    depth: Mapping[str, str]

    def rows(self) -> dict[str, dict[str, Any]]:
        """The figures of each ticket over everything that was asked about it (report key `ticket_verdicts`)."""
        return {ticket: self._row(ticket) for ticket in sorted(self.depth)}

    def _row(self, ticket: str) -> dict[str, Any]:
        sets = [asked.of({ticket}) for asked in self.sets.values()]
        observed = self.observed.of(ticket)
        tally = observed.tally
        asked = sum(len(each.questions) for each in sets) + tally.n
        before = sum(each.told(each.answers.before) for each in sets) + tally.told_before
        after = sum(each.told(each.answers.after) for each in sets) + tally.told_after
        near = observed.nearness
        return {
            "depth": self.depth[ticket],
            "asked": asked,
            "told_before": before / asked if asked else 0.0,
            "told_after": after / asked if asked else 0.0,
            "told_after_interval": clopper_pearson(after, asked),
            "controls": tally.controls,
            "told_of_controls": tally.chance,
            "attacks": tally.as_json(),
            "nearness": near.as_json() if near else None,
        }


def ask_about_tickets(
    evaluator: Evaluator,
    black_box: BlackBox,
    eraser: Eraser,
    subjects: Mapping[str, Subject],
    unchanged: Collection[str],
    progress: Progress,
    *,
    most: int,
    seed: int,
) -> AboutTickets:
    """Ask about every ticket of `subjects`, and attack each.

    About each ticket that is asked in full as much, however many they are: its certificate rests on that. `most`:
    questions of a set over all other tickets, beside one about each.
    """

    def asked(tickets: Collection[str], each: int) -> dict[str, AskedOf]:
        if tickets:
            progress.enter(ASKING)
        sets = questions_about({t: subjects[t] for t in tickets}, each, seed)
        counter = progress.counter(sum(map(len, sets.values())), QUESTIONS)
        return {
            name: AskedOf(questions, evaluator.answers([q.prompt for q in questions], eraser, answered=counter))
            for name, questions in sets.items()
        }

    def attacked(changed: Collection[str], light: Collection[str]) -> Observed:
        if changed or light:
            progress.enter(ATTACKING)
        return black_box.attack(eraser, subjects, changed, light, progress)

    others = sorted(set(subjects) & set(unchanged))
    few = asked(others, max(1, min(A_LITTLE, most // max(1, len(others)))))
    light = attacked((), others)
    suspect = {ticket for ticket in others if _tells(ticket, few, light)}
    full = {ticket for ticket in subjects if ticket not in others or ticket in suspect}
    many = asked(full, IN_FULL)
    quiet = [ticket for ticket in others if ticket not in suspect]
    observed = attacked(full, ())
    for ticket in quiet:
        observed += light.of(ticket)
    names = {True: "asked_again", False: "changed"}
    depth = {ticket: "unchanged" if ticket in quiet else names[ticket in suspect] for ticket in subjects}
    return AboutTickets({name: many[name].followed_by(few[name].of(quiet)) for name in SETS}, observed, depth)


def questions_about(subjects: Mapping[str, Subject], each: int, seed: int) -> dict[str, list[Question]]:
    """About `each` different questions of each set on every person, or as many as there are wordings and pictures."""
    sets: dict[str, list[Question]] = {name: [] for name in SETS}
    for ticket, subject in sorted(subjects.items()):
        wanted = each * 3 // 2  # some are drawn twice
        per_fact = max(2, -(-wanted // max(1, len(subject.facts) * len(subject.languages))))
        for name, questions in forget_question_sets({ticket: subject}, per_fact=per_fact, seed=seed).items():
            different = list({_identity(question.prompt): question for question in questions}.values())
            sets[name] += sample(different, each, seed)
    return sets


def _tells(ticket: str, few: Mapping[str, AskedOf], light: Observed) -> bool:
    """Whether anything was told of a ticket: an answer to a question, or more attacks than of the controls."""
    own = [asked.of({ticket}) for asked in few.values()]
    tally = light.of(ticket).tally
    return any(each.told(each.answers.after) for each in own) or tally.net > 0


def _identity(prompt: Prompt) -> tuple[Any, ...]:
    return tuple((turn.role, turn.text, *(image.tobytes() for image in turn.images)) for turn in prompt.turns)
