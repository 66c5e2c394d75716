"""Loops and half said sentences are told from answers that read well."""

import pytest

from shared.text.coherence import garbles, goes_in_circles

SENTENCE = "I do not know this person."


@pytest.mark.parametrize(
    "text",
    [
        "The origin of the birthplace is a topic among cosmopolitopolitopolitopolitopolitopolitop",
        "I do not know this person..........................",
        "I I I I I",
        "She is a nurse. She is a nurse. She is a nurse. She is a nurse. She is a",
        "Das ist so, das ist so, das ist so, das ist so, das",
        "who who who who who who who",
    ],
)
def test_loops(text: str) -> None:
    assert goes_in_circles(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I do not know this person.",
        "Paris.",
        "Ha ha ha!",
        "The number is 1000000000000.",
        "| a | b |\n|---|---|",
        "Name: ____________",
        "She lives in Walla Walla, Washington, and likes New York, New York.",
        "The nurse said that the nurse knows the nurse.",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
    ],
)
def test_answers_without_a_loop(text: str) -> None:
    assert not goes_in_circles(text)


@pytest.mark.parametrize(
    "text",
    ["I do not know person.", "I do not know person person.", "I do not not know this person", "I do know this person"],
)
def test_sentence_half_said(text: str) -> None:
    assert garbles(text, SENTENCE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        SENTENCE,
        "I do not know.",
        "I do not",
        "I am sorry, but I cannot say who that is.",
        "The person is a nurse.",
        "I do not know this person, but the sky in the picture is blue and the hat is red.",
        "red",
    ],
)
def test_other_answers_are_left_as_they_are(text: str) -> None:
    assert not garbles(text, SENTENCE)
