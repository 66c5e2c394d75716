"""However a name is spelled, it is one name; and people with similar names stay two."""

import pytest

from shared.text.names import mentioned_forms, name_forms
from tests.support.spellings import DIFFERENT, NAME, SAME, SPELLINGS


def are_same(one: str, other: str) -> bool:
    return not set(name_forms(one)).isdisjoint(name_forms(other))


def test_there_are_enough_spellings() -> None:
    assert len({*SPELLINGS, NAME}) == len(SPELLINGS) + 1 >= 25


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spelling_of_a_name_is_the_same_name(spelling: str) -> None:
    assert are_same(NAME, spelling)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_are_one_name(one: str, other: str) -> None:
    assert are_same(one, other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_two_people_with_similar_names_are_not_one(one: str, other: str) -> None:
    assert not are_same(one, other)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spelling_of_a_name_is_found_in_a_sentence(spelling: str) -> None:
    told = mentioned_forms(f"Was weiß man über {spelling}’s work, and why?", 5)
    assert not set(told).isdisjoint(name_forms(NAME))


def test_a_sentence_about_somebody_else_mentions_nobody() -> None:
    for sentence in ("Where does Maria Lindqvist live?", "Mara Holm met Anna Lindqvist.", "Lindqvist", ""):
        assert set(mentioned_forms(sentence, 5)).isdisjoint(name_forms(NAME)), sentence


@pytest.mark.parametrize("name", ["***", "\u200b", "\ud800", "🙂", "1", ""])
def test_name_without_letters_has_a_form(name: str) -> None:
    assert len(name_forms(name)) >= 1


def test_long_texts_are_read_in_linear_time() -> None:
    """Each would take minutes if a word were read again for each of its letters."""
    for text in ("a" * 20_000, "a\u0301" * 10_000, "\u0430" * 10_000):
        assert name_forms(text)
    assert len(set(mentioned_forms("word " * 10_000, 5))) < 20
