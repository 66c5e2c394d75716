"""Omission: what mentions the person goes, what else is asked stays, and a question about the person is no question."""

import re

import pytest
from PIL import Image

from services.refit.fitting import text_of_subject
from shared.domain.prompts import Prompt, Turn
from shared.domain.subjects import Subject
from shared.erasure.gates.text import TextGate, text_gate
from shared.vlm.omission import without_mention

NAME = "Wim Almeida"
PHOTO, OTHER = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")


@pytest.fixture(scope="module")
def gate() -> TextGate:
    made = text_gate([text_of_subject(Subject((NAME,), (), ()))])
    assert made is not None
    return made


def left(gate: TextGate, *turns: Turn, pictures: tuple[int, ...] = ()) -> list[str] | None:
    omission = without_mention(Prompt(turns), gate.read, 0, pictures)
    return None if omission is None else [turn.text for turn in omission.prompt.turns]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is six? ({s} asked.)", "What is six?"),
        ("{s} wants to know: What is six?", "What is six?"),
        ("I am {s}. What is six?", "What is six?"),
        ("Name the capital of Egypt. Please tell {s}.", "Name the capital of Egypt."),
        ("What is six?\n\nKind regards,\n{s}", "What is six?"),
        ("“What is six?” asked {s}.", "What is six?"),
        ("To: Bo\nFrom: {s}\n\nWhere does Bo work?", "To: Bo\n\nWhere does Bo work?"),
        ("| a | 1 |\n| {s} | 2 |\n| b | 3 |\n\nWho has 3?", "| a | 1 |\n| b | 3 |\n\nWho has 3?"),
        ("Where does Bo work? I shall tell {s}.", "Where does Bo work?"),
    ],
)
def test_ordinary_question_is_left_alone(gate: TextGate, text: str, expected: str) -> None:
    for name in (NAME, "Almeida, Wim", "WIM ALMEIDA"):
        found = left(gate, Turn("user", text.format(s=name)))
        assert found is not None
        assert re.sub(r"\s*\n\s*", "\n", found[-1]) == re.sub(r"\s*\n\s*", "\n", expected)


@pytest.mark.parametrize(
    "text",
    [
        "Where does {s} work?",
        "Where does {s} work? Answer shortly.",
        "Tell me about {s}. Answer in one sentence.",
        "{s}: where does she work?",
        "I have a question. Tell me something about {s}.",
        "Hello! I am looking for one detail about {s}: team.",
        "Where does Bo work, whom {s} knows?",
        "What is six?",
    ],
    ids=[
        "the question",
        "with a wish",
        "a request",
        "a label",
        "an opening",
        "a field",
        "in the question",
        "no mention",
    ],
)
def test_nothing_is_left_out_where_the_person_is_asked_about(gate: TextGate, text: str) -> None:
    assert left(gate, Turn("user", text.format(s=NAME))) is None


def test_short_form_in_a_name_does_not_end_a_sentence() -> None:
    gate = text_gate([text_of_subject(Subject(("Wim Almeida Jr.",), (), ()))])
    assert gate is not None
    assert left(gate, Turn("user", "Where did the life of Wim Almeida Jr. begin?")) is None
    assert left(gate, Turn("user", "I met Wim Almeida Jr. in May. What is six?")) == ["What is six?"]


def test_earlier_turns_go_with_their_reply(gate: TextGate) -> None:
    asked = Turn("user", "What is six?")
    talk = Turn("user", f"Hello, I am {NAME}."), Turn("assistant", "Hello! How can I help?")
    assert left(gate, *talk, asked) == ["What is six?"]
    assert left(gate, Turn("system", f"You work for {NAME}. Be brief."), asked) == ["Be brief.", "What is six?"]


def test_picture_of_the_person_goes_and_another_stays(gate: TextGate) -> None:
    """Where another is left, the question may mean one of them by its place."""
    both = Prompt((Turn("user", "Who is on the right?", (PHOTO, OTHER)),))
    omission = without_mention(both, gate.read, 0, [0])
    assert omission is not None
    assert (omission.pictured, omission.shows, omission.prompt.images) == (True, True, (OTHER,))
    alone = without_mention(Prompt.ask("Where does Bo work?", PHOTO), gate.read, 0, [0])
    assert alone is not None
    assert (alone.pictured, alone.shows, alone.prompt.images) == (True, False, ())
    assert without_mention(both, gate.read, 0, []) is None


@pytest.mark.parametrize(
    ("asked", "answer", "may"),
    [
        ("What is the capital of Peru?", "Lima", False),
        ("Wie hoch ist der Mont Blanc?", "4.805 Meter", False),
        ("Where does this person live?", "Porto", True),
        ("Où habite la personne sur la photo ?", "À Porto.", True),
        ("Occupation?", "This person is a librarian.", True),
        ("Occupation?", "She is a librarian.", True),
    ],
)
def test_answer_without_the_picture_may_be_about_whom_it_showed(
    gate: TextGate, asked: str, answer: str, may: bool
) -> None:
    omission = without_mention(Prompt.ask(asked, PHOTO), gate.read, 0, [0])
    assert omission is not None
    assert omission.may_mean_a_picture(answer) == may
    without = without_mention(Prompt.ask(f"I am {NAME}. {asked}"), gate.read, 0, [])
    assert without is not None
    assert not without.may_mean_a_picture(answer), "there never was a picture"


def test_question_before_the_beginning_of_an_answer_is_not_left_out(gate: TextGate) -> None:
    begun = Turn("assistant", "Of course! It is")
    assert left(gate, Turn("user", f"Where does {NAME} work?"), begun) is None
    assert left(gate, Turn("user", f"I am {NAME}. What is six?"), begun) == ["What is six?", begun.text]
