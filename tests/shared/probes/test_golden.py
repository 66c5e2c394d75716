"""The demo's questions stay as they are, to the byte: the demo model was trained on these wordings.

Digests of statistics and many measured figures depend on the random draws. The hashes were taken before other
attributes and languages had wordings. A change here means that the demo model has to be trained and measured again.
"""

import hashlib
import random
from collections.abc import Iterable

import pytest

from shared.domain.prompts import Prompt
from shared.domain.subjects import Fact, Subject
from shared.evaluation.synthetic_people import PeopleGenerator
from shared.evaluation.synthetic_portraits import draw, random_features
from shared.probes import templates
from shared.probes.questions import (
    Kind,
    answers_that_name,
    fact_questions,
    mention_questions,
    picture_prompts,
    visible_questions,
)
from shared.probes.templates import Form

PERSON = PeopleGenerator(11).person(1, "forgettable")
PHOTO = draw(random_features(random.Random(4)))
KINDS: tuple[Kind, ...] = ("qa", "mcq", "cloze", "reverse")


def digest(prompts: Iterable[Prompt], *more: object) -> str:
    """SHA-256 (beginning) of all roles and texts and of the pictures' sizes.

    Words and picture changes are drawn from one stream, so that another change of a picture is another hash too.
    """
    sha = hashlib.sha256()
    for prompt in prompts:
        for turn in prompt.turns:
            sha.update(f"{turn.role}\0{turn.text}\0".encode())
            for image in turn.images:
                sha.update(repr((image.mode, image.size)).encode())
    sha.update(repr(more).encode())
    return sha.hexdigest()[:16]


def asked(subject: Subject, form: Form, kinds: tuple[Kind, ...], seed: int) -> str:
    """The digest of questions about `subject` with all that belongs to them."""
    questions = fact_questions(
        subject, form=form, kinds=kinds, per_fact=3, seed=seed, person=PERSON.id, options=PERSON.options
    )
    rest = [(q.attribute, q.accept, q.person, q.by, q.form, q.kind, q.options) for q in questions]
    return digest((q.prompt for q in questions), rest)


@pytest.mark.parametrize(
    ("form", "kinds", "seed", "expected"),
    [
        ("trained", ("qa",), 0, "23d4218c7b98b241"),
        ("trained", KINDS, 1, "70ece9dd1e44b89d"),
        ("test", ("qa",), 0, "89b4c5357d8b66a4"),
        ("test", KINDS, 2, "7ef69450d8ce6bc6"),
    ],
)
def test_questions_about_the_demo_attributes_are_unchanged(
    form: Form, kinds: tuple[Kind, ...], seed: int, expected: str
) -> None:
    assert {fact.attribute for fact in PERSON.subject.facts} == set(templates.TRAINED)
    assert asked(PERSON.subject, form, kinds, seed) == expected


def test_questions_by_name_alone_are_unchanged() -> None:
    subject = Subject(PERSON.subject.names, (), PERSON.subject.facts)
    assert asked(subject, "trained", ("qa",), 5) == "7b9cbb2cc574d2a1"


def test_questions_about_a_fact_with_aliases_are_unchanged() -> None:
    subject = Subject(("Mara Lindqvist",), (), (Fact("employer", "Marble & Finch", ("Marble and Finch",)),))
    assert asked(subject, "test", ("qa", "cloze", "reverse"), 3) == "9c6200a8ed2c61bf"


def test_prompts_that_mention_a_name_are_unchanged() -> None:
    for name, seed, expected in (
        ("Mara Lindqvist", 0, "c278a40256d16434"),
        ("Óscar de la Nuit", 1, "a490359c09b9988b"),
        ("eva", 0, "dce13084585d9f68"),
    ):
        assert digest(mention_questions(name, seed=seed)) == expected


def test_answers_that_name_are_unchanged() -> None:
    assert digest(answers_that_name("Mara Lindqvist")) == "e8d3fc7e2e72d23c"


def test_picture_prompts_are_unchanged() -> None:
    assert digest(picture_prompts(PHOTO, 16, seed=2)) == "721356744e00f903"
    assert digest(picture_prompts(PHOTO, 6, form="test", seed=0)) == "0bc6daef3f246799"


def test_visible_questions_are_unchanged() -> None:
    trained = visible_questions(PHOTO, {"hat": "no"}, person="x", seed=3)
    held_out = visible_questions(PHOTO, {}, person="x", seed=3, form="test")
    assert digest((q.prompt for q in trained), [q.accept for q in trained]) == "a7f46a55d3ad5262"
    assert digest((q.prompt for q in held_out), [q.accept for q in held_out]) == "d66a48f7b9e8005e"
