"""Who takes which part in a profile: nobody two, and few people are enough."""

from pathlib import Path

import pytest

from services.refit.profile.people import FORGOTTEN, reading_people
from shared.errors import BadInput
from shared.evaluation.model_profile import Knowledge
from shared.evaluation.reference import Reference, default_reference, load_reference

NOBODY = Knowledge(asked=0, known=(), chance=0.0)


def without(reference: Reference, split: str, keep: int) -> Reference:
    """The reference with `keep` people in the split."""
    left = {person.id for person in reference.of(split)[keep:]}
    people = tuple(person for person in reference.people if person.id not in left)
    return Reference(people, reference.harmful, reference.general, folder=reference.folder)


def test_many_people_fill_both_parts() -> None:
    people = reading_people(default_reference(), NOBODY)
    assert len(people.forgotten) == FORGOTTEN
    assert len(people.others) > FORGOTTEN
    assert not {subject.names[0] for subject in people.forgotten} & {subject.names[0] for subject in people.others}


@pytest.mark.parametrize(("calibrating", "fitted"), [(6, 3), (3, 1), (2, 1)])
def test_few_people_are_shared_out(calibrating: int, fitted: int) -> None:
    """A folder with six calibration people could not be profiled, since eight were taken as forgotten."""
    reference = without(load_reference(Path("models/smol-vlm/reference")), "calibration", calibrating)
    people = reading_people(reference, NOBODY)
    assert len(people.forgotten) == fitted
    assert len(people.others) == calibrating - fitted + len(reference.of("stranger_fit")[1::2])


def test_one_person_alone_is_too_few() -> None:
    reference = without(load_reference(Path("models/smol-vlm/reference")), "calibration", 1)
    with pytest.raises(BadInput, match="too few to see"):
        reading_people(reference, NOBODY)
