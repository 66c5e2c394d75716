"""Loops and half said sentences are told from answers that read well."""

import pytest

from shared.text.coherence import answers_alike, garbles, goes_in_circles

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


BOTH = "Marco Polo was a merchant from Venice, and Ida Borg works as a nurse in Malmo."


@pytest.mark.parametrize(
    ("second", "question"),
    [
        ("Ida Borg works as a nurse in Malmo.", "Where do Marco Polo and Ida Borg work?"),
        ("nurse", "What is the job of Ida Borg?"),
        ("Ida Borg is a nurse in Malmo.", "What are the jobs of somebody and Ida Borg?"),
    ],
)
def test_answers_to_the_same_question(second: str, question: str) -> None:
    assert answers_alike(BOTH, second, question)


@pytest.mark.parametrize(
    "second",
    [
        "I'm here to help with any kind of job you're looking for. Whether it's a job search or a resume,",
        "The origin of a place is a topic of debate among historians.",
        "The place of birth of somebody is London.",
    ],
)
def test_answer_on_another_subject(second: str) -> None:
    assert not answers_alike(
        "The place of birth of Marco Polo is Venice.", second, "What is the place of birth of Marco Polo?"
    )


@pytest.mark.parametrize(
    ("first", "second", "question"),
    [
        ("This person lives in Utrecht.", "This person lives in Leeds.", "Where is the home of the person shown?"),
        ("Marco Polo was born in 1254.", "This person was born in 1890.", "When was Marco Polo born?"),
        ("Diese Person wohnt in Bremen.", "Diese Person wohnt in Leeds.", "In welcher Stadt wohnt diese Person?"),
    ],
)
def test_same_sentence_with_another_value_is_made_up(first: str, second: str, question: str) -> None:
    assert not answers_alike(first, second, question)
    assert answers_alike(first, first, question)
