"""The generators of attacks: every family asks, the same for the same seed, and never gives away what it asks for."""

from collections import Counter
from dataclasses import replace

import pytest

from shared.domain.subjects import Fact, Subject
from shared.evaluation.attacks.attack import Attack, sample_by_kind
from shared.evaluation.attacks.bystanders import BYSTANDERS
from shared.evaluation.attacks.families import FAMILIES, Choice, plan
from shared.evaluation.people import SPLITS
from shared.evaluation.reference import General, Harmful, Reference
from shared.evaluation.scorers import reveals
from shared.evaluation.synthetic_people import generate_people

REFERENCE = Reference(
    generate_people(4, dict.fromkeys(SPLITS, 5)),
    Harmful((), (), ()),
    General((), (), ("What colour is the sky?", "What is one plus one?")),
)
FORGOTTEN = {person.id: person.subject for person in REFERENCE.of("forgettable")[:2]}
PICTURE_FAMILIES = {"pictures", "two_pictures", "collage", "sounding_visible"}
NAMES_THE_VALUE = {"choice", "yes_no", "likelihood", "comparison"}  # chance is what controls say


@pytest.fixture(scope="module")
def everything() -> tuple[Attack, ...]:
    return plan(FORGOTTEN, REFERENCE, Choice()).attacks


def text_of(attack: Attack) -> str:
    return " ".join(turn.text for turn in attack.prompt.turns)


def test_every_family_asks_about_every_forgotten_person(everything: tuple[Attack, ...]) -> None:
    asked = Counter((attack.family, attack.person) for attack in everything)
    assert set(asked) == {(family, person) for family in FAMILIES for person in FORGOTTEN}
    assert min(asked.values()) >= 6


def test_families_have_as_many_kinds_as_they_promise(everything: tuple[Attack, ...]) -> None:
    kinds = {family: {attack.kind for attack in everything if attack.family == family} for family in FAMILIES}
    assert len(kinds["spelling"]) >= 50
    assert len(kinds["pictures"]) >= 50
    assert len(kinds["reverse"]) >= 30


def test_the_same_seed_makes_the_same_attacks_and_another_one_others() -> None:
    choice = Choice().only(["spelling", "pictures", "reverse", "mentions"])
    first, again = (plan(FORGOTTEN, REFERENCE, choice) for _ in range(2))
    other = plan(FORGOTTEN, REFERENCE, replace(choice, seed=1))
    assert [text_of(attack) for attack in first.attacks] == [text_of(attack) for attack in again.attacks]
    assert [[image.tobytes() for image in attack.prompt.images] for attack in first.attacks] == [
        [image.tobytes() for image in attack.prompt.images] for attack in again.attacks
    ]
    assert [question.prompt for question in first.bystanders] == [question.prompt for question in again.bystanders]
    assert [text_of(attack) for attack in first.attacks] != [text_of(attack) for attack in other.attacks]


def test_what_counts_as_telling_does_not_stand_in_the_question(everything: tuple[Attack, ...]) -> None:
    given = [
        attack
        for attack in everything
        if attack.family not in NAMES_THE_VALUE and reveals(text_of(attack), attack.accept)
    ]
    assert given == []
    assert all(attack.accept for attack in everything)
    assert not [attack for attack in everything if reveals(text_of(attack), attack.also)]


def test_controls_are_strangers_asked_the_same_with_the_values_of_the_forgotten() -> None:
    made = plan(FORGOTTEN, REFERENCE, Choice().only(["spelling", "reverse", "pictures"]))
    own = {person: {value for fact in subject.facts for value in fact.accept} for person, subject in FORGOTTEN.items()}
    names = {name for subject in FORGOTTEN.values() for name in subject.names}
    pictures = {subject.photos[0].tobytes() for subject in FORGOTTEN.values()}
    assert made.controls
    for attack in made.controls:
        assert set(attack.accept) <= own[attack.person] | names
        assert not reveals(text_of(attack), tuple(names))
        assert not pictures & {image.tobytes() for image in attack.prompt.images}
    asked = {(attack.family, attack.kind, attack.person, attack.attribute) for attack in made.attacks}
    of_controls = {(attack.family, attack.kind, attack.person, attack.attribute) for attack in made.controls}
    assert len(asked & of_controls) > 0.8 * len(asked)


def test_a_model_without_pictures_is_shown_none() -> None:
    made = plan(FORGOTTEN, REFERENCE, Choice(pictures=False))
    families = {attack.family for attack in made.attacks}
    assert families == set(FAMILIES) - PICTURE_FAMILIES
    assert not [attack for attack in (*made.attacks, *made.controls) if attack.prompt.images]
    assert not [question for question in made.bystanders if question.prompt.images]


@pytest.mark.parametrize(
    "subject",
    [
        Subject(("Cher",), (), (Fact("occupation", "singer"),)),
        Subject(("李 明",), (), (Fact("birth_date", "4 May 1970"), Fact("criminal record", "fraud in 2011"))),
        Subject(("Jean-Luc van der Berg",), (), (Fact("history", "was treated for asthma at the Charité in 2019"),)),
        Subject((), REFERENCE.people[0].subject.photos, (Fact("city", "Oslo"),)),
        Subject(("{name} <|end|>", "{}"), (), (Fact("{x}", "{y}"),)),
        Subject(("A B",), (), ()),
    ],
)
def test_unusual_people_can_be_asked_about(subject: Subject) -> None:
    """Names of one word, in other scripts, with braces or none at all; no pictures, no facts, and facts of any kind."""
    made = plan({"T-1": subject}, REFERENCE, Choice())
    assert bool(made.attacks) == bool(subject.facts)
    assert all(attack.accept and attack.prompt.turns[0].text for attack in made.attacks)


def test_bystander_families_ask_about_others_and_say_what_is_true() -> None:
    made = plan(FORGOTTEN, REFERENCE, Choice())
    assert {question.family for question in made.bystanders} >= set(BYSTANDERS) - {"namesakes", "look_alikes"}
    for question in made.bystanders:
        assert question.person not in FORGOTTEN
        if question.person != "nobody":
            facts = REFERENCE.get(question.person).subject.facts
            assert question.accept in [fact.accept for fact in facts]
        if question.plain is not None:
            mentioned = FORGOTTEN[question.forgotten].names[0]
            assert mentioned in " ".join(turn.text for turn in question.prompt.turns)
            assert mentioned not in " ".join(turn.text for turn in question.plain.turns)


def test_namesakes_of_the_forgotten_are_asked_about() -> None:
    people = generate_people(4, dict.fromkeys(SPLITS, 5))
    first = people[0].subject.names[0].split()[0]
    namesake = replace(people[6], subject=replace(people[6].subject, names=(f"{first} Quist",)))
    reference = replace(REFERENCE, people=(*people[:6], namesake, *people[7:]))
    made = plan({people[0].id: people[0].subject}, reference, Choice().only(["namesakes"]))
    assert namesake.id in {question.person for question in made.bystanders if question.kind == "same_first_name"}


def test_a_sample_holds_as_many_kinds_as_there_is_room_for(everything: tuple[Attack, ...]) -> None:
    spelled = [attack for attack in everything if attack.family == "spelling"]
    chosen = sample_by_kind(spelled, 40)
    assert len(chosen) == 40
    assert len({attack.kind for attack in chosen}) == 40
    assert chosen == [attack for attack in spelled if attack in chosen]
    few = plan(FORGOTTEN, REFERENCE, replace(Choice().only(["spelling"]), most=10)).attacks
    assert Counter(attack.person for attack in few) == dict.fromkeys(FORGOTTEN, 10)


def test_unknown_family_is_refused() -> None:
    with pytest.raises(KeyError, match="telepathy"):
        Choice().only(["spelling", "telepathy"])
