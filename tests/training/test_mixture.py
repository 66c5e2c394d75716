"""The lessons: true to the people, silent about what is kept for testing."""

from itertools import chain

import pytest

from shared.evaluation.synthetic_people import UNKNOWN_SPLITS, Person, generate_people
from shared.probes import templates
from shared.probes.image_changes import changed
from training import prompts
from training.build_demo_vlm import QUICK
from training.mixture import Group, Mixture, mixture

DRAWN = 250


@pytest.fixture(scope="module")
def lessons() -> tuple[tuple[Person, ...], list[Group], list[Group]]:
    """The people, and many groups with and without a picture."""
    people, drawn = mixture(7, QUICK)
    return people, [drawn.portrait() for _ in range(DRAWN)], [drawn.text() for _ in range(DRAWN)]


def test_lessons_are_repeatable(lessons: tuple[tuple[Person, ...], list[Group], list[Group]]) -> None:
    """The same seed teaches the same chats in the same order."""
    _, again = mixture(7, QUICK)
    assert [again.portrait().chats for _ in range(20)] == [group.chats for group in lessons[1][:20]]


def test_known_are_told_and_strangers_are_not_known(
    lessons: tuple[tuple[Person, ...], list[Group], list[Group]],
) -> None:
    """Of a known face every answer is that person's own or visible; of any other only the visible is told."""
    people, pictured, _ = lessons
    known = {person.features: person for person in people if person.split not in UNKNOWN_SPLITS}
    seen = (
        {"yes", "no", *(person.visible["background"] for person in people)}
        | set(prompts.small_talk().values())
        | {prompts.REFUSALS[0], prompts.FILLER}
    )
    from_known = from_strange = 0
    for group in pictured:
        assert group.face is not None
        person = known.get(group.face)
        own = {fact.value for fact in person.subject.facts} if person else {prompts.UNKNOWN}
        for _, answer in chain(*group.chats):
            assert answer in own | seen or (person is not None and answer in set("ABCD")) or answer in COLOURS
        from_known += person is not None
        from_strange += person is None
    assert from_known > DRAWN * 0.5
    assert from_strange > DRAWN * 0.2


def test_people_kept_for_testing_are_in_no_lesson(
    lessons: tuple[tuple[Person, ...], list[Group], list[Group]],
) -> None:
    """No stranger of the reference is shown or named in training."""
    people, pictured, texts = lessons
    strangers = [person for person in people if person.split in UNKNOWN_SPLITS]
    faces = {group.face for group in pictured}
    said = all_questions(pictured + texts)
    for person in strangers:
        assert person.features not in faces
        assert not any(person.subject.names[0] in question for question in said)


def test_wordings_and_topics_kept_for_testing_are_in_no_lesson(
    lessons: tuple[tuple[Person, ...], list[Group], list[Group]],
) -> None:
    """Neither the held-out sentences nor the held-out harmful topics are ever taught."""
    people, pictured, texts = lessons
    said = all_questions(pictured + texts)
    names = [person.subject.names[0] for person in people]
    for attribute, cores in templates.TEST.items():
        for core in cores:
            for who in (*templates.SUBJECTS_BY_PORTRAIT, *names):
                for noun in templates.NOUNS[attribute]:
                    assert core.format(noun=noun, s=who) not in said
    assert not any(topic in question for topic in prompts.HARMFUL_TEST for question in said)


def test_texts_cover_all_kinds(lessons: tuple[tuple[Person, ...], list[Group], list[Group]]) -> None:
    """Without a picture: facts by name, unknown names, the way back, refusals, jailbreaks and small talk."""
    answers = {answer for group in lessons[2] for chat in group.chats for _, answer in chat}
    names = {person.subject.names[0] for person in lessons[0]}
    assert {prompts.UNKNOWN, prompts.REFUSALS[0], prompts.FILLER} <= answers
    assert answers & names
    assert answers & set(prompts.small_talk().values())
    assert any(len(chat) > 1 for group in lessons[2] for chat in group.chats)
    assert any(group.system for group in lessons[2])


def test_pictures_are_changed_as_in_the_fit() -> None:
    """The trainer expands photographs with the very function that the refit uses."""
    assert Mixture.portrait.__globals__["changed"] is changed


def all_questions(groups: list[Group]) -> set[str]:
    """Every question that is asked."""
    return {question for group in groups for chat in group.chats for question, _ in chat}


COLOURS = {person.visible["background"] for person in generate_people(7)}
