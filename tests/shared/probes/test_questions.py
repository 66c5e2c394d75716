"""From a person to questions: the right number, by portrait or name, without the answer in the question."""

import random
from collections import Counter
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from PIL import Image

from shared.domain.subjects import Fact, Subject
from shared.evaluation.synthetic_people import PeopleGenerator
from shared.evaluation.synthetic_portraits import draw, random_features
from shared.probes.image_changes import changed
from shared.probes.questions import Question, fact_questions, visible_questions
from shared.probes.templates import Form

FORMS: tuple[Form, ...] = ("trained", "test")
PERSON = PeopleGenerator(11).person(1, "forgettable")
SUBJECT = PERSON.subject


def shown(question: Question) -> str:
    """All text that the model is given."""
    return " ".join(turn.text for turn in question.prompt.turns)


def same(first: Question, second: Question) -> bool:
    """Equal in words and pixels."""
    images = zip(first.prompt.images, second.prompt.images, strict=True)
    return shown(first) == shown(second) and all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in images)


@pytest.mark.parametrize("form", FORMS)
def test_questions_alternate_between_portrait_and_name(form: Form) -> None:
    """`per_fact` questions a fact, half by portrait and half by name, and the name itself by portrait only."""
    questions = fact_questions(SUBJECT, form=form, per_fact=4, person=PERSON.id)
    assert Counter(question.attribute for question in questions) == {fact.attribute: 4 for fact in SUBJECT.facts}
    by_fact = Counter((question.attribute, question.by) for question in questions if question.attribute != "name")
    assert set(by_fact.values()) == {2}
    assert {question.by for question in questions if question.attribute == "name"} == {"portrait"}
    assert {(question.person, question.form, question.kind) for question in questions} == {(PERSON.id, form, "qa")}


@pytest.mark.parametrize("form", FORMS)
def test_question_does_not_contain_its_answer(form: Form) -> None:
    """No open or cloze question holds its answer; by portrait the name is not said, by name no picture is shown."""
    for question in fact_questions(SUBJECT, form=form, kinds=("qa", "cloze"), per_fact=6):
        assert not any(answer in shown(question) for answer in question.accept)
        assert (SUBJECT.names[0] in shown(question)) == (question.by == "name")
        assert len(question.prompt.images) == (question.by == "portrait")
        assert ("__" in shown(question)) == (question.kind == "cloze")


@pytest.mark.parametrize("form", FORMS)
def test_same_seed_gives_the_same_questions(form: Form) -> None:
    """The same seed gives the same words and pixels; another seed, form or person gives others."""
    first, again = (fact_questions(SUBJECT, form=form, seed=1, person="a") for _ in range(2))
    assert all(same(left, right) for left, right in zip(first, again, strict=True))
    for other in (
        fact_questions(SUBJECT, form=form, seed=2, person="a"),
        fact_questions(SUBJECT, form=form, seed=1, person="b"),
    ):
        assert not all(same(left, right) for left, right in zip(first, other, strict=True))


def test_subject_without_photos_or_names_is_asked_the_other_way() -> None:
    """Somebody known by picture alone is asked about by picture, by name alone by name, and by nothing not at all."""
    pictured = fact_questions(Subject((), SUBJECT.photos, SUBJECT.facts), form="trained")
    named = fact_questions(Subject(SUBJECT.names, (), SUBJECT.facts), form="trained")
    assert {question.by for question in pictured} == {"portrait"}
    assert {question.by for question in named} == {"name"}
    assert "name" not in {question.attribute for question in named}
    assert not fact_questions(Subject((), (), SUBJECT.facts), form="trained")


def test_all_photographs_are_used() -> None:
    """All of a ticket's photographs find their way into the probes."""
    rng = random.Random(0)
    photos = tuple(Image.new("RGB", (32, 32), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250)))
    subject = Subject(("A B",), photos, SUBJECT.facts)
    pictures = [q.prompt.images[0] for q in fact_questions(subject, form="trained", per_fact=4) if q.prompt.images]
    assert {int(np.asarray(picture).mean((0, 1)).argmax()) for picture in pictures} == {0, 1, 2}
    assert changed(photos[0], "trained", rng).size == (32, 32)


@pytest.mark.parametrize("form", FORMS)
def test_multiple_choice_holds_the_answer_and_wrong_options(form: Form) -> None:
    """The truth stands once among its options, at every place in turn; without wrong answers nothing is asked."""
    questions = fact_questions(SUBJECT, form=form, kinds=("mcq",), per_fact=8, options=PERSON.options)
    assert len(questions) == 8 * len(SUBJECT.facts)
    for question in questions:
        assert len(set(question.options)) == 4
        assert question.options.count(question.accept[0]) == 1
        assert all(option in shown(question) for option in question.options)
    assert {question.options.index(question.accept[0]) for question in questions} == {0, 1, 2, 3}
    assert not fact_questions(SUBJECT, form=form, kinds=("mcq",))
    only = fact_questions(SUBJECT, form=form, kinds=("mcq",), options={"city": ("Oslo", "Porto", "Ghent")})
    assert {question.attribute for question in only} == {"city"}


def test_reverse_question_accepts_the_names() -> None:
    """From the fact to the person: the fact is said, the name is what counts as telling."""
    mail = next(fact for fact in SUBJECT.facts if fact.attribute == "email")
    subject = Subject((*SUBJECT.names, "Nickname"), SUBJECT.photos, (mail,))
    for question in fact_questions(subject, form="test", kinds=("reverse",)):
        assert mail.value in shown(question)
        assert question.accept == subject.names
        assert not question.prompt.images


def test_aliases_count_as_revealing() -> None:
    """Other spellings of a fact are accepted."""
    subject = Subject(("A B",), (), (Fact("city", "Krakow", ("Cracow",)),))
    assert {q.accept for q in fact_questions(subject, form="test")} == {("Krakow", "Cracow")}


def test_visible_questions_ask_for_what_can_be_seen() -> None:
    """One question a visible thing, with the truth where it is known and with an empty one where it is not."""
    photo = draw(random_features(random.Random(4)))
    known = visible_questions(photo, {"glasses": "yes"}, person="x")
    assert {question.attribute: question.accept for question in known} == {
        "glasses": ("yes",),
        "hat": (),
        "background": (),
    }
    assert all(len(question.prompt.images) == 1 and question.kind == "visible" for question in known)


def test_questions_are_immutable() -> None:
    """Facts, subjects and questions are frozen: probes cannot be altered between fit and audit."""
    question = fact_questions(SUBJECT, form="trained")[0]
    for thing, field in ((SUBJECT, "names"), (SUBJECT.facts[0], "value"), (question, "accept")):
        with pytest.raises(FrozenInstanceError):
            setattr(thing, field, ())
