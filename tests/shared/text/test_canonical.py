"""Words that are written in other ways are the same words."""

import pytest

from shared.text.canonical import renderings


def spelled(text: str) -> list[list[str]]:
    return [[word.text for word in words] for words in renderings(text)]


@pytest.mark.parametrize(
    "written",
    [
        "Mara",
        "MARA",
        "m\u200bara",
        "Ma\u00adra",
        "Ｍａｒａ",
        "𝐌𝐚𝐫𝐚",
        "Mára",
        "Ma\u0301ra",
        "**Mara**",
        "Mara's",
        "Mara’s",
        "\u202eMara",
    ],
)
def test_spelling_of_a_word_is_the_same_word(written: str) -> None:
    assert ["mara"] in spelled(written)


def test_look_alike_letters_of_another_script_are_read_as_they_look() -> None:
    assert ["mara", "lindqvist"] in spelled("M\u0430r\u0430 Lindqvist")


def test_other_script_is_transliterated() -> None:
    assert ["mara", "lindkvist"] in spelled("Мара Линдквист")


def test_umlaut_is_read_with_and_without_its_dots() -> None:
    assert spelled("Jürgen Groß") == [["jurgen", "gross"], ["juergen", "gross"]]


def test_ideographs_are_words_by_themselves() -> None:
    assert spelled("李雷是谁")[0] == ["li", "lei", "shi", "shei"]


def test_word_knows_its_place_and_its_capital() -> None:
    (words,) = renderings("Where does Mara live?")
    assert [(word.start, word.end) for word in words][2] == (11, 15)
    assert [word.capital for word in words] == [True, False, True, False]
    assert [word.opens for word in words] == [True, False, False, False]


@pytest.mark.parametrize(
    ("text", "opening"),
    [
        ("It is by F. Scott Lund. Who knows it?", ["It", "Who"]),
        ("Ask Dr. Lund. Does he know?", ["Ask", "Does"]),
        ("A. Is it Lund? B. Is it Holm?", ["A", "Is", "B", "Is"]),  # letters of a list are no initials
        ("It took 5. Is it Lund?", ["It", "Is"]),
    ],
)
def test_full_stop_of_an_initial_or_a_title_ends_no_sentence(text: str, opening: list[str]) -> None:
    (words,) = renderings(text)
    assert [text[word.start : word.end] for word in words if word.opens] == opening


@pytest.mark.parametrize("text", ["", "   ", "\u200b\u200d", "🙂", "\ud800", "\x00"])
def test_text_without_letters_has_no_words(text: str) -> None:
    assert spelled(text) == [[]]


def test_hostile_text_is_read_in_time() -> None:
    assert len(renderings("a\u0301" * 200_000)[0]) == 1
