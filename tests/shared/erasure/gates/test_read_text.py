"""A text that was read ahead is not read again, unless another gate asks."""

import pytest

from shared.erasure.gates.read_text import evidence_of, evidence_of_part, read_ahead
from shared.erasure.gates.text import TextGate, fit_text
from shared.text.token_text import TokenText

TURN = "Where does Mara Lindqvist work?"
TEXT = TokenText(f"<user> {TURN}", tuple(range(7 + len(TURN))))


@pytest.fixture
def gate() -> TextGate:
    return TextGate((fit_text(["Mara Lindqvist"], []),))


def test_text_read_ahead_says_the_same_and_is_not_read_again(gate: TextGate, monkeypatch: pytest.MonkeyPatch) -> None:
    of_text, of_turn = gate.read(TEXT.text), gate.read(TURN)
    read = read_ahead(TEXT, [TURN], gate)
    assert (read.text, read.starts) == (TEXT.text, TEXT.starts)
    monkeypatch.setattr(TextGate, "read", lambda *_: pytest.fail("read again"))
    assert evidence_of(read, gate) == of_text
    assert evidence_of_part(read, TURN, gate) == of_turn


def test_another_gate_reads_the_text_itself(gate: TextGate) -> None:
    read = read_ahead(TEXT, [TURN], gate)
    other = TextGate((fit_text(["Ivo Novak"], []),))
    assert not evidence_of(read, other)
    assert not evidence_of_part(read, TURN, other)
    assert evidence_of(TEXT, gate)[0].named
    assert evidence_of_part(None, TURN, gate)[0].named


def test_turns_of_a_text_that_names_nobody_are_not_read_ahead(gate: TextGate) -> None:
    assert not read_ahead(TokenText("Hello!", (0,)), ["Hello!"], gate).parts
