"""Who stands for everybody else in a refit: reference people and an operator's own, for the fit or the calibration.

Only what the model can read of them is left. The evaluation splits are never read here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from shared.artifacts.retain_sets import RetainRow, rows_in_split
from shared.domain.splits import Split
from shared.domain.subjects import Subject
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference
from shared.probes.templates import Form
from shared.vlm.engine import Engine

CALIBRATING_SHARE: Final = 4  # one in so many retained people calibrates a channel where no other person can
FORMS: Final[tuple[Form, ...]] = ("trained", "test")


@dataclass(frozen=True, eq=False)
class RetainedPerson:
    """A retained person, of the reference or of an operator's own set; equal to nobody else, as photographs are not."""

    id: str
    subject: Subject
    visible: Mapping[str, str]

    @classmethod
    def of(cls, person: Person) -> "RetainedPerson":
        return cls(person.id, person.subject, person.visible)


class Channel(NamedTuple):
    """Who takes part in the fit and in the calibration of what is read at pictures, or at names."""

    fit: list[RetainedPerson]
    calibration: list[RetainedPerson]


def channel_people(
    retained: list[RetainedPerson],
    calibrating: list[RetainedPerson],
    has_part: Callable[[RetainedPerson], bool],
) -> Channel:
    """Everybody as they are, unless nobody who calibrates `has_part` (a picture, or a name).

    Then one in CALIBRATING_SHARE of the retained people who have it calibrates and takes no part in the fit: a
    threshold that was set on nobody would mean nothing.
    """
    if any(map(has_part, calibrating)):
        return Channel(retained, calibrating)
    moved = list(filter(has_part, retained))[CALIBRATING_SHARE - 1 :: CALIBRATING_SHARE]
    return Channel([person for person in retained if person not in moved], [*calibrating, *moved])


def without_unreadable(
    engine: Engine, reference: Reference, operator_rows: Sequence[RetainRow]
) -> tuple[Reference, tuple[RetainRow, ...]]:
    """The same people and prompts without what the model cannot read: pictures, where it is a text-only model."""
    if engine.reads_pictures:
        return reference, tuple(operator_rows)
    people = tuple(replace(person, subject=engine.readable(person.subject)) for person in reference.people)
    return replace(reference, people=people), tuple(
        replace(row, subject=engine.readable(row.subject))
        for row in operator_rows
        if row.prompt is None or not row.prompt.images
    )


def people_in(operator_rows: Sequence[RetainRow], split: Split) -> list[RetainedPerson]:
    return [
        RetainedPerson(row.identity, row.subject, row.visible)
        for row in rows_in_split(operator_rows, split)
        if row.text is None
    ]


def retained_people(reference: Reference) -> tuple[Person, ...]:
    return (*reference.of("retain_fit"), *reference.of("celebrity_fit"), *reference.of("stranger_fit")[::2])


def calibrating_people(reference: Reference) -> tuple[Person, ...]:
    return (*reference.of("calibration"), *reference.of("stranger_fit")[1::2])
