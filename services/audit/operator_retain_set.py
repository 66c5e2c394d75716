"""The operator's own retain set in an audit: what the fit has seen and what it never saw, asked in the same way.

In-sample figures alone flatter: the held-out identities of the same file are the honest ones. Knows no database.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.artifacts.retain_sets import RetainRow, Split, rows_in_split
from shared.evaluation.reference import Reference
from shared.probes.questions import Question, fact_questions, visible_questions

IN_SAMPLE: Final = "own_in_sample"
HELD_OUT: Final = "own_held_out"
_SPLITS: Final[dict[str, Split]] = {IN_SAMPLE: "fit", HELD_OUT: "held_out"}


@dataclass(frozen=True)
class OperatorRetainSet:
    """Rows of set `number` that the fit did not leave out; `absent` are reference people who are forgotten."""

    number: int | None
    rows: tuple[RetainRow, ...]
    absent: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """Another one for other questions: the base model's answers are kept under it."""
        return f"{self.number}/{sorted(row.number for row in self.rows)}/{sorted(self.absent)}"

    def without_absent(self, reference: Reference) -> Reference:
        """The reference people who are to stay as they are."""
        return replace(reference, people=tuple(p for p in reference.people if p.id not in self.absent))

    def panels(self, *, seed: int = 0) -> dict[str, list[Question]]:
        """Questions by panel: held-out wordings and pictures for people, prompts as they stand."""
        return {
            name: [question for row in rows_in_split(self.rows, split) for question in _questions(row, seed)]
            for name, split in _SPLITS.items()
        }


def side_by_side(number: int, panels: dict[str, Any]) -> dict[str, Any]:
    """In-sample and held-out beside each other, and by how much the held-out answers changed more."""
    shown = {"in_sample": panels.get(IN_SAMPLE), "held_out": panels.get(HELD_OUT)}
    both = all(shown.values())
    gap = panels[IN_SAMPLE]["identical"] - panels[HELD_OUT]["identical"] if both else None
    return {"number": number, **shown, "identical_gap": gap}


def _questions(row: RetainRow, seed: int) -> Sequence[Question]:
    if row.prompt is not None:
        return [Question(row.prompt, "prompt", (), row.identity, "name", "test", "qa")]
    about = fact_questions(row.subject, form="test", per_fact=1, seed=seed, person=row.identity)
    for photo in row.subject.photos[:1]:
        about += visible_questions(photo, row.visible, person=row.identity, seed=seed, form="test")
    return about
