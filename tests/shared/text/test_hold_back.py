"""What may be sent of an unfinished text: whole words, no part of a stop word, no beginning of a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text.hold_back import cut, sendable, words_of


@pytest.mark.parametrize(
    ("text", "stop", "sent"),
    [
        ("", (), ""),
        ("Hello", (), ""),
        ("Hello wor", (), "Hello"),
        (" Hello wor", (), " Hello"),
        ("Hello world ", (), "Hello world"),
        ("Hello\nwor", (), "Hello"),
        ("one two three", ("END",), "one two"),
        ("one two EN", ("END",), "one two"),
        ("one two END three", ("END",), "one"),
        ("one END two", ("END", "one"), ""),
        ("Warschau Straße", ("",), "Warschau"),
    ],
)
def test_whole_words_before_any_stop_word_are_sent(text: str, stop: tuple[str, ...], sent: str) -> None:
    assert sendable(text, tuple(word for word in stop if word)) == sent


def test_words_that_may_begin_a_name_wait() -> None:
    def begins(text: str) -> bool:
        return text.endswith(("Mara", "Mara of"))

    assert sendable("I met Mara of the", (), begins) == "I met"
    assert sendable("I met Mara of the Novak family", (), begins) == "I met Mara of the Novak"


def test_text_that_may_always_go_on_is_never_sent() -> None:
    assert sendable("all of it may go on", (), lambda _: True) == ""


@given(st.text(alphabet="ab \n.", max_size=40), st.lists(st.text(alphabet="ab.", min_size=1, max_size=4), max_size=3))
def test_what_was_sent_stays_right_however_the_text_goes_on(text: str, stop: list[str]) -> None:
    """Each prefix sends a beginning of what the whole text is cut to."""
    whole = cut(text, stop)
    sent = ""
    for end in range(len(text) + 1):
        ready = sendable(text[:end], stop)
        assert whole.startswith(ready)
        if len(ready) > len(sent):
            assert ready.startswith(sent)
            sent = ready


@pytest.mark.parametrize("text", ["", "one", " one two", "one\n\ntwo  three ", "  "])
def test_words_are_the_text_in_pieces_of_one_word(text: str) -> None:
    pieces = words_of(text)
    assert "".join(pieces) == text
    assert all(len(piece.split()) <= 1 for piece in pieces)
