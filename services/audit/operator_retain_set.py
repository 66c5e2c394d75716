"""The operator's own retain set in an audit: rows that the fit has seen and rows that it never saw, asked alike.

In-sample figures alone are too favourable; the held-out identities of the same file show what happens to people whom
the fit has not seen. This module knows no database.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.artifacts.retain_sets import RetainRow, rows_in_split
from shared.domain.splits import Split
from shared.evaluation.reference import Reference
from shared.probes.questions import Question, fact_questions, visible_questions

IN_SAMPLE: Final = "own_in_sample"
HELD_OUT: Final = "own_held_out"
_SPLITS: Final[dict[str, Split]] = {IN_SAMPLE: "fit", HELD_OUT: "held_out"}


@dataclass(frozen=True)
class OperatorRetainSet:
    """The rows of set `number` that the fit did not exclude, and the reference people who are forgotten, by id.

    `number` is None where the operator has no set; then only `excluded_people` say something.
    """

    number: int | None
    rows: tuple[RetainRow, ...]
    excluded_people: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """Differs where the questions differ: the base model's answers are cached under it."""
        return f"{self.number}/{sorted(row.number for row in self.rows)}/{sorted(self.excluded_people)}"

    def reference_without_excluded(self, reference: Reference) -> Reference:
        """The reference people who are to stay as they are."""
        people = tuple(person for person in reference.people if person.id not in self.excluded_people)
        return replace(reference, people=people)

    def without_pictures(self) -> "OperatorRetainSet":
        """The same for a model that reads no pictures: people without photographs, prompts that have no picture."""
        rows = tuple(
            replace(row, subject=replace(row.subject, photos=()))
            for row in self.rows
            if row.prompt is None or not row.prompt.images
        )
        return replace(self, rows=rows)

    def question_sets(self, *, seed: int = 0) -> dict[str, list[Question]]:
        """Questions by set: held-out wordings and pictures for people, prompts as they are."""
        return {
            name: [question for row in rows_in_split(self.rows, split) for question in _questions(row, seed)]
            for name, split in _SPLITS.items()
        }


def side_by_side(number: int, panels: dict[str, Any]) -> dict[str, Any]:
    """In-sample and held-out figures, and by how much more the held-out answers changed (None without both).

    `panels` are the report's figures by question set; `number` is that of the operator's set.
    """
    in_sample, held_out = panels.get(IN_SAMPLE), panels.get(HELD_OUT)
    gap = in_sample["identical"] - held_out["identical"] if in_sample and held_out else None
    return {"number": number, "in_sample": in_sample, "held_out": held_out, "identical_gap": gap}


def _questions(row: RetainRow, seed: int) -> Sequence[Question]:
    if row.prompt is not None:
        return [Question(row.prompt, "prompt", (), row.identity, "name", "test", "qa")]
    questions = fact_questions(row.subject, form="test", per_fact=1, seed=seed, person=row.identity)
    for photo in row.subject.photos[:1]:
        questions += visible_questions(photo, row.visible, person=row.identity, seed=seed, form="test")
    return questions
