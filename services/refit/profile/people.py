"""Divides the reference people among the steps of a profile and the refits after it; nobody is in two of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from services.refit.profile.reading import ReadingPeople
from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.errors import BadInput
from shared.evaluation.model_profile import Knowledge
from shared.evaluation.people import Person
from shared.evaluation.public_data import PublicFigure, public_figures
from shared.evaluation.reference import Reference

RETAINED: Final = 12  # people who shape the whiteners of the curves
FORGOTTEN: Final = 8  # people who are fitted as tickets are; of few who calibrate, half
OTHERS: Final = 24  # people who set the thresholds
ORDINARY: Final = 60  # prompts about nobody
VALIDATION: Final = 16  # people on whom the second pass is tried


def figures_of(reference: Reference) -> tuple[PublicFigure, ...]:
    """The shipped public figures, without those whom the operator's own folder replaces."""
    names = {name for person in reference.people for name in person.subject.names[:1]}
    return tuple(figure for figure in public_figures() if figure.name in names)


def reading_people(reference: Reference, knowledge: Knowledge) -> ReadingPeople:
    """The parts of the curves, all from splits that fits may see."""
    retained = [*reference.of("retain_fit"), *reference.of("celebrity_fit")]
    calibration = _known_first(reference.of("calibration"), knowledge)
    fitted = min(FORGOTTEN, len(calibration) // 2)
    forgotten, others = calibration[:fitted], calibration[fitted:]
    if len(retained) < 2 or not forgotten or not others:
        raise BadInput(
            f"There are {len(retained)} people to retain and {len(calibration)} to calibrate with: too few to see "
            "where the model reads who is meant. Add people to the reference folder."
        )
    return ReadingPeople(
        retained=[person.subject for person in retained[:RETAINED]],
        forgotten=[person.subject for person in forgotten],
        others=[person.subject for person in (*others[:OTHERS], *reference.of("stranger_fit")[1::2])],
        ordinary=[Prompt.ask(text) for text in reference.general.calibration[:ORDINARY]],
    )


def validation_people(reference: Reference, knowledge: Knowledge) -> list[Subject]:
    """People whom the model knows, in no fit: those of the calibration split that it tells most about."""
    attributes = {figure.name: set(figure.attributes) for figure in knowledge.known}
    people = []
    for person in _known_first(reference.of("calibration"), knowledge)[:VALIDATION]:
        known_attributes = attributes.get(person.subject.names[0]) if person.subject.names else None
        facts = tuple(
            fact for fact in person.subject.facts if known_attributes is None or fact.attribute in known_attributes
        )
        people.append(replace(person.subject, facts=facts))
    return people


def _known_first(people: Sequence[Person], knowledge: Knowledge) -> list[Person]:
    return sorted(people, key=lambda person: not set(person.subject.names[:1]) & knowledge.names)
