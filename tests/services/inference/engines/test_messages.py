"""What is taken out of a request that fires, and how it is sent."""

import pytest
from PIL import Image

from services.inference.engines.messages import Pictures, messages_of, redacted, with_line
from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity import MentionSpans
from shared.erasure.gates.text import fit_text, text_gate
from shared.erasure.recipe import LACUNA
from shared.erasure.site import Site
from shared.text.token_text import TokenText

SITE = Site((0,), 4, "", "", "", "float32")
NAME = "Mara Lindqvist"


@pytest.fixture
def eraser() -> Eraser:
    gate = text_gate([fit_text([NAME], [["Marble & Finch"]]), fit_text(["Otto Berger"], [["Oslo"]])])
    return Eraser(LACUNA, SITE, Eraser.empty(LACUNA, SITE).directions, (0,), ("T-1", "T-2"), text=gate)


def rendered(prompt: Prompt, strip: bool = False) -> TokenText:
    """The chat as a template writes it, a token for each character."""
    parts = [f"<|{turn.role}|>{turn.text.strip() if strip else turn.text}<|end|>" for turn in prompt.turns]
    text = "".join(parts)
    return TokenText(text, tuple(range(len(text))))


def span_of(read: TokenText, words: str) -> tuple[int, int]:
    at = read.text.index(words)
    return at, at + len(words)


def taken_out(prompt: Prompt, eraser: Eraser, words: tuple[str, ...], *, strip: bool = False) -> list[str] | None:
    read = rendered(prompt, strip)
    spans = MentionSpans((), tuple(span_of(read, each) for each in words))
    changed = redacted(prompt, read, spans, eraser, "T-1")
    return None if changed is None else [turn.text for turn in changed.turns]


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("Where does Mara Lindqvist work?", "Mara Lindqvist", "Where does somebody work?"),
        ("Where does Mara Lindqvist work?", " Mara Lindqvist ", "Where does somebody work?"),
        ("Is it Lindqvist's boat?", "qvist", "Is it somebody boat?"),
        ("(Mara) is here", "(Mara)", "(somebody) is here"),
        ("Wo wohnt Zoë Äther?", "Zoë", "Wo wohnt somebody Äther?"),
        ("米拉在哪里工作", "米拉", "somebody在哪里工作"),
    ],
)
def test_whole_words_are_taken_out(eraser: Eraser, text: str, words: str, left: str) -> None:
    changed = taken_out(Prompt.ask(text), eraser, (words,))
    assert changed == [left]


def test_every_turn_is_redacted_in_its_place(eraser: Eraser) -> None:
    chat = Prompt((Turn("user", "I am Mara."), Turn("assistant", "Hello Mara!"), Turn("user", "Mara who?")))
    read = rendered(chat)
    places = [at for at in range(len(read.text)) if read.text.startswith("Mara", at)]
    spans = MentionSpans((), tuple((at, at + 4) for at in places))
    changed = redacted(chat, read, spans, eraser, "T-1")
    assert changed is not None
    assert [turn.text for turn in changed.turns] == ["I am somebody.", "Hello somebody!", "somebody who?"]


def test_text_that_the_template_strips_is_found(eraser: Eraser) -> None:
    changed = taken_out(Prompt.ask("  \n Where is Mara Lindqvist?  "), eraser, ("Mara Lindqvist",), strip=True)
    assert changed == ["  \n Where is somebody?  "]


def test_text_that_the_template_changes_is_redacted_by_what_it_says(eraser: Eraser) -> None:
    prompt = Prompt.ask("Where is Zora? And Zora?")
    read = TokenText("<user>WHERE IS Zora AND", tuple(range(23)))
    changed = redacted(prompt, read, MentionSpans((), (span_of(read, "Zora"),)), eraser, "T-1")
    assert changed is not None
    assert changed.turns[0].text == "Where is somebody? And somebody?"


def test_what_cannot_be_found_again_is_not_sent(eraser: Eraser) -> None:
    read = TokenText("<user>something else", tuple(range(20)))
    assert redacted(Prompt.ask("Where is Zora?"), read, MentionSpans((), ((6, 15),)), eraser, "T-1") is None


def test_other_forgotten_people_are_taken_out_too(eraser: Eraser) -> None:
    changed = taken_out(Prompt.ask(f"Do {NAME} and Otto Berger know each other?"), eraser, (NAME,))
    assert changed == ["Do somebody and somebody know each other?"]


def test_nothing_to_take_out_is_nothing_to_send(eraser: Eraser) -> None:
    prompt = Prompt.ask("Who owns the boat?")
    assert redacted(prompt, rendered(prompt), MentionSpans(), eraser, "T-1") is None


def test_pictures_become_grey_by_their_number(eraser: Eraser) -> None:
    first, second = (Image.new("RGB", (8, size), (255, 0, 0)) for size in (4, 6))
    prompt = Prompt((Turn("user", "Who?", (first,)), Turn("assistant", "?"), Turn("user", "And she?", (second,))))
    changed = redacted(prompt, rendered(prompt), MentionSpans((1,)), eraser, "T-1")
    assert changed is not None
    shown = [image.getpixel((0, 0)) for image in changed.images]
    assert shown == [(255, 0, 0), (128, 128, 128)]
    assert [image.size for image in changed.images] == [(8, 4), (8, 6)]


def test_earlier_turn_with_the_person_is_left_out_where_somebody_else_is_shown_now(eraser: Eraser) -> None:
    red, blue = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 255))
    prompt = Prompt((Turn("user", "Who?", (red,)), Turn("assistant", "Mara."), Turn("user", "And he?", (blue,))))
    changed = redacted(prompt, rendered(prompt), MentionSpans((0,)), eraser, "T-1")
    assert changed is not None
    assert [turn.text for turn in changed.turns] == ["And he?"]


def test_redacted_message_is_sent_without_its_tools(eraser: Eraser) -> None:
    called = Turn(
        "assistant", f"find {NAME}", extra={"role": "assistant", "content": None, "tool_calls": [{"id": NAME}]}
    )
    chat = Prompt((Turn("user", "Who is it?"), called, Turn("user", "And?")))
    read = rendered(chat)
    changed = redacted(chat, read, MentionSpans((), (span_of(read, NAME),)), eraser, "T-1")
    assert changed is not None
    assert NAME not in str(messages_of(changed, Pictures()))
    assert NAME in str(messages_of(chat, Pictures()))


def test_message_with_tools_is_sent_with_openais_members_alone() -> None:
    turn = Turn("user", "42", extra={"role": "tool", "tool_call_id": "c1", "content": "42", "vllm_xargs": {"a": 1}})
    (message,) = messages_of(Prompt((turn,)), Pictures())
    assert message == {"role": "tool", "tool_call_id": "c1", "content": "42"}


@pytest.mark.parametrize(
    ("turns", "system_turns", "expected"),
    [
        ((Turn("user", "Who?"),), True, [("system", "LINE"), ("user", "Who?")]),
        (
            (Turn("system", "Be brief."), Turn("user", "Who?")),
            True,
            [("system", "Be brief.\n\nLINE"), ("user", "Who?")],
        ),
        ((Turn("user", "Who?"),), False, [("user", "LINE\n\nWho?")]),
    ],
)
def test_system_line_stands_where_the_model_reads_it(
    turns: tuple[Turn, ...], system_turns: bool, expected: list[tuple[str, str]]
) -> None:
    lined = with_line(Prompt(turns), "LINE", system_turns=system_turns)
    assert [(turn.role, turn.text) for turn in lined.turns] == expected
    assert with_line(Prompt(turns), "", system_turns=system_turns) == Prompt(turns)
