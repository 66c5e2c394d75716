"""What `lacuna demo` measured: questions, answers before and after, times. Computes the figures and the JSON."""

import base64
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from PIL.Image import Image

from shared.evaluation.comparison import Comparison, compare
from shared.evaluation.people import Person
from shared.probes.questions import Question

UNTOUCHED: Final = ("retain", "held_out", "celebrity", "stranger", "ordinary")
Answers = Mapping[str, Sequence[str]]  # of each question set, in the order of its questions


@dataclass
class DemoResult:
    """What the demo measured. It is filled chapter by chapter, and becomes the JSON and the page."""

    person: Person
    question_sets: Mapping[str, Sequence[Question]]  # by name
    before: Answers = field(default_factory=dict)
    after: Answers = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # by stage
    states: list[tuple[str, float]] = field(default_factory=list)  # of the ticket, with seconds since its approval
    ticket: str = ""
    version: str = ""
    refusal: str = ""  # the answer to the rollback
    certificate: str = ""  # what the check of the certificate found
    audit: Mapping[str, Any] = field(default_factory=dict)

    def figures(self, own: Sequence[str]) -> dict[str, Comparison]:
        """The comparison of each question set."""
        return {
            name: compare(questions, self.before[name], self.after[name], own)
            for name, questions in self.question_sets.items()
        }

    def as_json(self, own: Sequence[str]) -> dict[str, Any]:
        """The figures of build/demo.json; other programs read these names."""
        figures = self.figures(own)
        return {
            "leak_before": {"trained": figures["forget"].revealed_before, "test": figures["test"].revealed_before},
            "leak_after": {"trained": figures["forget"].revealed_after, "test": figures["test"].revealed_after},
            **{f"{name}_identical": figures[name].identical for name in UNTOUCHED if name in figures},
            **(
                {
                    "visible_attribute_accuracy": figures["visible"].revealed_after,
                    "visible_attribute_accuracy_before": figures["visible"].revealed_before,
                }
                if "visible" in figures
                else {}
            ),
            "seconds": self.seconds,
            "n": {name: comparison.n for name, comparison in figures.items()},
            "intervals": {name: comparison.as_json() for name, comparison in figures.items()},
            "ticket": self.ticket,
            "version": self.version,
            "rollback_refused": self.refusal,
            "certificate": self.certificate,
        }


@dataclass(frozen=True)
class Highlight:
    """One question of the few that the terminal shows."""

    label: str
    question: Question
    answer: str
    about_forgotten: bool  # whether the answer may not reveal the fact once the ticket is completed


@dataclass(frozen=True)
class _Choice:
    label: str
    question_set: str
    matches: Callable[[Question], bool] = lambda question: True


HIGHLIGHTS: Final = (
    _Choice("portrait", "forget", lambda question: question.by == "portrait"),
    _Choice("name", "forget", lambda question: question.by == "name"),
    _Choice("new wording", "test", lambda question: question.by == "name"),
    _Choice("changed picture", "test", lambda question: question.by == "portrait"),
    _Choice("visible", "visible"),
    _Choice("retained", "retain"),
    _Choice("not in the fit", "held_out"),
    _Choice("public figure", "celebrity"),
    _Choice("stranger", "stranger"),
    _Choice("ordinary", "ordinary"),
)


def highlights(result: DemoResult, answers: Answers) -> Iterator[Highlight]:
    """The first question of each kind, with its answer among `answers` (those before, or those after)."""
    for choice in HIGHLIGHTS:
        questions = result.question_sets.get(choice.question_set, ())
        index = next((i for i, question in enumerate(questions) if choice.matches(question)), None)
        if index is not None:
            yield Highlight(
                label=choice.label,
                question=questions[index],
                answer=answers[choice.question_set][index],
                about_forgotten=choice.question_set in ("forget", "test"),
            )


def data_url(image: Image) -> str:
    """The picture as a PNG data URL (RFC 2397)."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
