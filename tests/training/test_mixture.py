"""The training mixture: true to the people, and without anything that is kept for testing."""

from dataclasses import dataclass
from itertools import chain

import pytest

from shared.evaluation.people import UNKNOWN_SPLITS
from shared.evaluation.synthetic_people import SyntheticPerson, generate_people
from shared.probes import templates
from shared.probes.image_changes import changed
from training import prompts
from training.build_demo_vlm import QUICK
from training.mixture import Group, Mixture, build_curriculum

DRAWN = 250


@dataclass(frozen=True)
class Drawn:
    """The people, and many groups with and without a picture."""

    people: tuple[SyntheticPerson, ...]
    portraits: list[Group]
    texts: list[Group]


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    curriculum = build_curriculum(7, QUICK)
    mixture = curriculum.mixture
    portraits = [mixture.portrait() for _ in range(DRAWN)]
    return Drawn(curriculum.people, portraits, [mixture.text() for _ in range(DRAWN)])


def test_same_seed_gives_the_same_chats_in_the_same_order(drawn: Drawn) -> None:
    again = build_curriculum(7, QUICK).mixture
    assert [again.portrait().chats for _ in range(20)] == [group.chats for group in drawn.portraits[:20]]


def test_answers_about_a_face_are_its_own_facts_or_visible(drawn: Drawn) -> None:
    """About a stranger's face only what is visible is answered, or that the model does not know the person."""
    known = {person.features: person for person in drawn.people if person.split not in UNKNOWN_SPLITS}
    visible = (
        {"yes", "no", *(person.visible["background"] for person in drawn.people)}
        | set(prompts.small_talk().values())
        | {prompts.REFUSALS[0], prompts.FILLER}
    )
    from_known = from_strange = 0
    for group in drawn.portraits:
        assert group.face is not None
        person = known.get(group.face)
        own = {fact.value for fact in person.subject.facts} if person else {prompts.UNKNOWN}
        for _, answer in chain(*group.chats):
            assert answer in own | visible or (person is not None and answer in set("ABCD")) or answer in COLOURS
        from_known += person is not None
        from_strange += person is None
    assert from_known > DRAWN * 0.5
    assert from_strange > DRAWN * 0.2


def test_strangers_of_the_reference_are_never_shown_or_named(drawn: Drawn) -> None:
    strangers = [person for person in drawn.people if person.split in UNKNOWN_SPLITS]
    faces = {group.face for group in drawn.portraits}
    questions = all_questions(drawn.portraits + drawn.texts)
    for person in strangers:
        assert person.features not in faces
        assert not any(person.subject.names[0] in question for question in questions)


def test_held_out_wordings_and_harmful_topics_are_never_trained(drawn: Drawn) -> None:
    questions = all_questions(drawn.portraits + drawn.texts)
    names = [person.subject.names[0] for person in drawn.people]
    for attribute, cores in templates.TEST.items():
        for core in cores:
            for who in (*templates.SUBJECTS_BY_PORTRAIT, *names):
                for noun in templates.NOUNS[attribute]:
                    assert core.format(noun=noun, s=who) not in questions
    assert not any(topic in question for topic in prompts.HARMFUL_TEST for question in questions)


def test_chats_without_a_picture_cover_all_kinds(drawn: Drawn) -> None:
    """Facts by name, unknown names, names by fact, refusals, jailbreaks and small talk."""
    answers = {answer for group in drawn.texts for chat in group.chats for _, answer in chat}
    names = {person.subject.names[0] for person in drawn.people}
    assert {prompts.UNKNOWN, prompts.REFUSALS[0], prompts.FILLER} <= answers
    assert answers & names
    assert answers & set(prompts.small_talk().values())
    assert any(len(chat) > 1 for group in drawn.texts for chat in group.chats)
    assert any(group.system for group in drawn.texts)


def test_training_changes_pictures_with_the_function_of_the_fit() -> None:
    assert Mixture.portrait.__globals__["changed"] is changed


def all_questions(groups: list[Group]) -> set[str]:
    """Every question that is asked."""
    return {question for group in groups for chat in group.chats for question, _ in chat}


COLOURS = {person.visible["background"] for person in generate_people(7)}
