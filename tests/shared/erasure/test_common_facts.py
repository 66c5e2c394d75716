"""A fact that the model tells of others too is weak evidence: three of them take no answer of somebody else back."""

import pytest

from shared.erasure.gates.text import TextFit, TextGate, fit_text, with_common_facts
from shared.erasure.gates.text_evidence import TextEvidence

NAMES = ("Mara Lindqvist",)
FACTS = (("physicist",), ("American",), ("author",), ("Quillby Works",), ("1987-03-14", "14 March 1987"), ("Ostrava",))
PHYSICIST, AMERICAN, AUTHOR, EMPLOYER, BIRTH_DATE, CITY = range(6)
SAID = (  # of two other people
    ("A physicist.", "An American author.", "She lives in Brno."),
    ("A physicist from Ostrava.", "I do not know."),
)


@pytest.fixture(scope="module")
def fit() -> TextFit:
    return with_common_facts(fit_text(NAMES, FACTS), SAID)


def read(fit: TextFit, text: str) -> TextEvidence:
    return TextGate((fit,)).read(text).get(0, TextEvidence())


def test_facts_of_others_are_no_facts_of_the_persons_own(fit: TextFit) -> None:
    answer = "He is an American physicist and author."
    assert read(fit_text(NAMES, FACTS), answer).own_facts(TextEvidence()) == {PHYSICIST, AMERICAN, AUTHOR}
    said = read(fit, answer)
    assert said.facts == {PHYSICIST, AMERICAN, AUTHOR}
    assert said.own_facts(TextEvidence()) == set()


def test_facts_of_nobody_else_count_as_before(fit: TextFit) -> None:
    said = read(fit, "A physicist who works at Quillby Works, born on 14 March 1987.")
    assert said.own_facts(TextEvidence()) == {EMPLOYER, BIRTH_DATE}
    assert said.days == {BIRTH_DATE}
    assert said.own_facts(read(fit, "Who works at Quillby Works?")) == {BIRTH_DATE}


def test_two_facts_of_one_other_person_do_not_make_a_text_one_about_the_person(fit: TextFit) -> None:
    assert read(fit_text(NAMES, FACTS), "Which American is an author?").is_near
    assert not read(fit, "Which American is an author?").is_near
    assert not read(fit, "Which physicist lives in Ostrava?").is_near
    assert read(fit, "Which American author lives in Ostrava?").is_near  # nobody else is all of it
    assert read(fit, "Which physicist works at Quillby Works?").is_near


def test_a_day_that_the_model_gives_others_too_identifies_nobody() -> None:
    fit = with_common_facts(fit_text(NAMES, FACTS), [("Born on 14 March 1987.",)])
    assert not read(fit, "It was the 14 March 1987.").days
    assert read(fit_text(NAMES, FACTS), "It was the 14 March 1987.").days


def test_marks_are_stored(fit: TextFit) -> None:
    again = TextFit.from_tensors(fit.tensors())
    assert again == fit
    gate = TextGate.from_tensors(1, TextGate((fit,)).tensors())
    assert gate is not None
    assert gate.read("An American physicist.")[0].common == {PHYSICIST: {0, 1}, AMERICAN: {0}}


def test_parts_of_a_stream_are_read_as_one(fit: TextFit) -> None:
    said = read(fit, "An American")
    said.add(read(fit, "physicist from Ostrava"))
    assert said.common == {PHYSICIST: {0, 1}, AMERICAN: {0}, CITY: {1}}
    assert said.is_near


def test_without_other_people_nothing_is_common() -> None:
    assert with_common_facts(fit_text(NAMES, FACTS), ()) == fit_text(NAMES, FACTS)
