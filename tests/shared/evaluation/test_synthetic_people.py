"""The generated people: their splits, and that nobody resembles another person unless it is declared."""

import random
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from shared.evaluation.people import UNKNOWN_SPLITS
from shared.evaluation.synthetic_people import (
    ATTRIBUTES,
    SPLIT_SIZES,
    VALUES,
    PeopleGenerator,
    SyntheticPerson,
    generate_people,
)
from shared.evaluation.synthetic_portraits import BACKGROUNDS, COUNTS, Features, draw, random_features, visible_truth

PEOPLE = generate_people(7)
BY_ID = {person.id: person for person in PEOPLE}
LOOKALIKE_FLOOR = 4  # at least six features from everybody, less the two that a look-alike of a third person changes


def are_lookalikes(person: SyntheticPerson, other: SyntheticPerson) -> bool:
    """Whether one of them is declared to look like the other."""
    return person.lookalike_of == other.id or other.lookalike_of == person.id


def test_splits_have_their_sizes_and_people_have_all_facts() -> None:
    """Ten facts and one photograph for each person."""
    assert Counter(person.split for person in PEOPLE) == SPLIT_SIZES
    assert SPLIT_SIZES["forgettable"] >= 64
    assert len(BY_ID) == len(PEOPLE)
    for person in PEOPLE:
        assert tuple(fact.attribute for fact in person.subject.facts) == ATTRIBUTES
        assert person.subject.facts[0].value == person.subject.names[0]
        assert len(person.subject.photos) == 1


def test_full_names_and_emails_are_unique() -> None:
    """So that a question by name, or from the e-mail to the name, has one answer."""
    facts = [{fact.attribute: fact.value for fact in person.subject.facts} for person in PEOPLE]
    assert len({fact["name"] for fact in facts}) == len(PEOPLE)
    assert len({fact["email"] for fact in facts}) == len(PEOPLE)
    for fact in facts:
        assert not any(part.casefold() in fact["email"] for part in fact["name"].split())


def test_declared_namesakes_share_the_first_name_of_a_forgettable_person() -> None:
    """They are in several splits, and none is a stranger."""
    namesakes = [person for person in PEOPLE if person.namesake_of]
    assert len(namesakes) >= 8
    for person in namesakes:
        original = BY_ID[person.namesake_of or ""]
        assert original.split == "forgettable"
        assert person.subject.names[0].split()[0] == original.subject.names[0].split()[0]
    splits = {person.split for person in namesakes}
    assert {"forgettable", "retain_fit", "held_out"} <= splits
    assert not splits & set(UNKNOWN_SPLITS)


def test_faces_differ_in_four_features_unless_declared() -> None:
    """Declared look-alikes differ in two features, and in their pixels."""
    assert sum(person.lookalike_of is not None for person in PEOPLE) >= 4
    for first, second in combinations(PEOPLE, 2):
        distance = first.features.distance(second.features)
        if are_lookalikes(first, second):
            assert distance == 2
            seen = [np.asarray(person.subject.photos[0].resize((64, 64)), float) for person in (first, second)]
            assert np.abs(seen[0] - seen[1]).mean() > 1
        else:
            assert distance >= LOOKALIKE_FLOOR


def test_strangers_drawn_for_training_resemble_nobody() -> None:
    """Nobody of the reference, including its strangers, has the name or nearly the face."""
    generator, rng = PeopleGenerator(7), random.Random(0)
    generator.avoid(PEOPLE)
    names = {person.subject.names[0] for person in PEOPLE}
    for _ in range(60):
        face = generator.stranger_face(rng)
        assert min(face.distance(person.features) for person in PEOPLE) >= 6
        assert generator.stranger_name(rng) not in names


def test_options_are_three_different_wrong_answers_of_the_same_kind() -> None:
    for person in PEOPLE:
        for fact in person.subject.facts:
            options = person.options[fact.attribute]
            assert len({*options, fact.value}) == 4
            if fact.attribute in VALUES:
                assert set(options) <= set(VALUES[fact.attribute])


def test_same_seed_gives_the_same_people_to_the_pixel() -> None:
    """Another seed gives other names and faces."""
    small = dict.fromkeys(SPLIT_SIZES, 2)
    first, again, other = generate_people(5, small), generate_people(5, small), generate_people(6, small)
    for person, same in zip(first, again, strict=True):
        assert (person.subject.names, person.subject.facts, person.features) == (
            same.subject.names,
            same.subject.facts,
            same.features,
        )
        assert np.array_equal(np.asarray(person.subject.photos[0]), np.asarray(same.subject.photos[0]))
    assert [person.subject.names for person in first] != [person.subject.names for person in other]
    assert [person.features for person in first] != [person.features for person in other]


@pytest.mark.parametrize("name", [name for name in COUNTS if name not in ("hair",)])
def test_changing_one_feature_changes_the_portrait(name: str) -> None:
    """At the size of the model's input (a hair colour needs hair)."""
    rng = random.Random(name)
    face = random_features(rng)
    values = [Features(**{**face.as_dict(), "hair_style": face.hair_style or 1, name: v}) for v in range(COUNTS[name])]
    seen = [np.asarray(draw(face).resize((64, 64)), float) for face in values]
    for first, second in combinations(seen, 2):
        assert np.abs(first - second).max() > 20


def test_visible_truth_describes_what_is_drawn() -> None:
    """The stated background is the colour of the corner; glasses and hat are as in the features."""
    rng = random.Random(9)
    for _ in range(20):
        face = random_features(rng)
        truth = visible_truth(face)
        assert draw(face).getpixel((0, 0)) == BACKGROUNDS[truth["background"]]
        assert (truth["glasses"] == "yes", truth["hat"] == "yes") == (face.glasses == 1, face.hat == 1)
