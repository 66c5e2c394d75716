"""What `lacuna demo` saw: questions, answers before and after, times. Turns itself into figures and JSON."""

import base64
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL.Image import Image

from shared.evaluation.comparison import Comparison, compare
from shared.evaluation.synthetic_people import Person
from shared.probes.questions import Question


@dataclass
class DemoResult:
    """What the demo saw; becomes the JSON and the page."""

    person: Person
    panels: dict[str, list[Question]]
    before: dict[str, list[str]] = field(default_factory=dict)
    after: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    states: list[tuple[str, float]] = field(default_factory=list)
    ticket: str = ""
    version: str = ""
    refusal: str = ""
    certificate: str = ""
    audit: Mapping[str, Any] = field(default_factory=dict)

    def figures(self, unknown_answer: str) -> dict[str, Comparison]:
        """One comparison a panel."""
        return {
            name: compare(questions, self.before[name], self.after[name], unknown_answer)
            for name, questions in self.panels.items()
        }

    def as_json(self, unknown_answer: str) -> dict[str, Any]:
        """The figures under the names that others read."""
        figures = self.figures(unknown_answer)
        return {
            "leak_before": {"trained": figures["forget"].revealed_before, "test": figures["test"].revealed_before},
            "leak_after": {"trained": figures["forget"].revealed_after, "test": figures["test"].revealed_after},
            **{
                f"{name}_identical": figures[name].identical for name in ("retain", "held_out", "celebrity", "stranger")
            },
            "visible_attribute_accuracy": figures["visible"].revealed_after,
            "visible_attribute_accuracy_before": figures["visible"].revealed_before,
            "seconds": self.seconds,
            "n": {name: one.n for name, one in figures.items()},
            "intervals": {name: one.as_json() for name, one in figures.items()},
            "ticket": self.ticket,
            "version": self.version,
            "rollback_refused": self.refusal,
            "certificate": self.certificate,
        }


def highlights(story: DemoResult, moment: str) -> Iterator[tuple[str, Question, str]]:
    """A few questions to show: (label, question, reply) of `moment` ("before" or "after")."""
    replies: dict[str, list[str]] = getattr(story, moment)
    wanted: list[tuple[str, str, Callable[[Question], bool]]] = [
        ("portrait", "forget", lambda q: q.by == "portrait"),
        ("name", "forget", lambda q: q.by == "name"),
        ("new wording", "test", lambda q: q.by == "name"),
        ("changed picture", "test", lambda q: q.by == "portrait"),
        ("visible", "visible", lambda q: True),
        ("retained", "retain", lambda q: q.by == "portrait"),
        ("never fitted", "held_out", lambda q: q.by == "portrait"),
        ("public figure", "celebrity", lambda q: True),
        ("stranger", "stranger", lambda q: True),
    ]
    for label, panel, fits in wanted:
        index = next((i for i, q in enumerate(story.panels[panel]) if fits(q)), None)
        if index is not None:
            yield label, story.panels[panel][index], replies[panel][index]


def data_url(image: Image) -> str:
    """The picture as a PNG data URL (RFC 2397)."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
