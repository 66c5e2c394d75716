"""A value and a text share a key where the text tells the value."""

import pytest

from shared.text.values import is_identifying, text_keys, value_keys

TOLD = [
    ("12 May 1984", "She was born on May 12th, 1984."),
    ("12.05.1984", "born 1984-05-12"),
    ("+46 8 123 45 67", "Call 08-123 45 67."),
    ("mara.l@post.example", "mara.l at post dot example"),
    ("15,000 euros", "He owes 15000 € to the bank."),
    ("marine biologist", "She is a Marine-Biologist."),
    ("12 Elm Street, Leeds", "at Elm St 12, I think"),
    ("Marble & Finch", "works for Marble and Finch Ltd"),
    ("Kraków", "in KRAKOW"),
    ("Müller AG", "bei der Mueller AG"),
    ("Charité", "C h a r i t é"),
]
NOT_TOLD = [
    ("12 May 1984", "It happened in May 1984."),
    ("12 May 1984", "It happened on 12 May 1985."),
    ("mara.l@post.example", "write to post.example"),
    ("Oslo", "Osloer Strasse"),
    ("15,000 euros", "15 euros"),
    ("marine biologist", "a biologist in the marine corps"),
    ("+46 8 123 45 67", "Call 08-123 45 68."),
    ("5", "15"),
]


@pytest.mark.parametrize(("value", "text"), TOLD)
def test_text_that_tells_the_value_shares_a_key(value: str, text: str) -> None:
    assert value_keys(value) & text_keys(text)


@pytest.mark.parametrize(("value", "text"), NOT_TOLD)
def test_text_that_tells_something_else_shares_none(value: str, text: str) -> None:
    assert not value_keys(value) & text_keys(text)


@pytest.mark.parametrize("value", ["", "  ", "&", "🙂"])
def test_value_without_letters_has_no_key(value: str) -> None:
    assert not {key for key in value_keys(value) if key.strip("w ").isalnum()}


@pytest.mark.parametrize(
    ("value", "identifies"),
    [
        ("mara.l@post.example", True),
        ("+46 8 123 45 67", True),
        ("12 May 1984", True),
        ("12 Elm Street", True),
        ("May 1984", False),
        ("Oslo", False),
        ("marine biologist", False),
        ("2019", False),
        ("0123456789", False),
        ("123-456-7890", False),
        ("111 111 111", False),
        ("123 456 789 1", True),
    ],
)
def test_only_values_of_one_person_identify(value: str, identifies: bool) -> None:
    assert is_identifying(value) is identifies


def test_long_text_is_read_in_time() -> None:
    assert len(text_keys("word " * 20_000)) < 100


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "\n" * 20_000,
        " " * 20_000 + "at" + " " * 20_000 + "b",
        "a" * 20_000 + " @",
        "a-" * 10_000 + " at ",
        "a." * 10_000 + "@",
    ],
    ids=["lines", "blanks", "letters", "hyphens", "stops"],
)
def test_text_of_one_long_run_does_not_stall_the_reader(text: str) -> None:
    """Each took minutes while a pattern tried every part of the run; whoever asks holds the model meanwhile."""
    assert "e a@b" not in text_keys(text)


def test_address_with_blanks_and_words_is_still_read() -> None:
    assert value_keys("mara.l@post.example") & text_keys("write to mara (dot) l  (at)\n post dot example")
