"""Which answers of a second pass count as readable."""

import pytest

from services.refit.profile.pull import is_readable


@pytest.mark.parametrize(
    "text",
    [
        "I do not know this person.",
        "I'm sorry, but I don't have any information about that.",
        "Diese Person kenne ich leider nicht.",
        "Nie znam tej osoby.",
        "No.",
        "The person you are asking about is not known to me, and I would not want to guess where the person was born.",
    ],
)
def test_sentence_is_readable(text: str) -> None:
    assert is_readable(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "...",
        "42 42",
        "the the the the the the",
        "I do not know I do not know I do not know",
        "person person person person",
    ],
)
def test_repetition_or_no_word_at_all_is_not_readable(text: str) -> None:
    assert not is_readable(text)
