"""Words of ordinary questions are told from names, in any spelling."""

import pytest

from shared.evaluation.ordinary_words import is_ordinary
from shared.evaluation.public_data import public_figures

LANGUAGES = ("en", "de", "fr", "es", "it", "pl")


@pytest.mark.parametrize(
    "text",
    [
        *("the", "who", "person", "Person", "this person", "Who is", "tell me", "WHO", "Ｗｈｏ", "whо", "w\u200bho"),
        *("**the**", "Wer", "Was ist", "quién", "qui est", "Beruf", "capital", "water"),
    ],
)
def test_words_of_questions_are_no_names(text: str) -> None:
    assert is_ordinary(text, LANGUAGES)


@pytest.mark.parametrize(
    "name", ["Mara Lindqvist", "Will Rose", "Mark Field", "Grace", "Joy Day", "Li Na", "Prince", "Homer", "李娜", ""]
)
def test_names_are_names_also_where_they_are_words(name: str) -> None:
    assert not is_ordinary(name, LANGUAGES)


def test_hardly_anybodys_name_is_taken_for_words() -> None:
    names = [name for figure in public_figures() for name in figure.names]
    ordinary = [name for name in names if is_ordinary(name, LANGUAGES)]
    assert all(" " not in name for name in ordinary)
    assert len(ordinary) <= len(names) // 100


def test_language_decides_what_is_a_name() -> None:
    assert is_ordinary("Kim", ["pl"])
    assert not is_ordinary("Kim", ["en", "de"])
    assert not is_ordinary("who", ["xx"])
