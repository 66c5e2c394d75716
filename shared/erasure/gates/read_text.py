"""The text of a prompt with what a text gate says of it, so that it is read once, and wherever there is time for it.

Reading takes up to 20 ms for 600 words and seconds for a long text that is made to be slow to read. Who has a thread
that others wait for lets another one read (`read_ahead`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.erasure.gates.text import TextGate
from shared.erasure.gates.text_evidence import TextEvidence
from shared.text.token_text import TokenText

Evidence = Mapping[int, TextEvidence]  # by the number of the ticket


@dataclass(frozen=True)
class ReadText(TokenText):
    """A text that `gate` has read: its `evidence`, and that of each part of it (`parts`) that was read by itself."""

    gate: TextGate
    evidence: Evidence
    parts: Mapping[str, Evidence]


def read_ahead(text: TokenText, parts: Sequence[str], gate: TextGate) -> ReadText:
    """The text of a prompt, read, and also the text of each of its turns (`parts`) where it may name somebody.

    The turns are needed where the person's mention is left out (shared/vlm/omission.py).
    """
    evidence = gate.read(text.text)
    traced = any(seen.is_traced for seen in evidence.values())
    return ReadText(text.text, text.starts, gate, evidence, {part: gate.read(part) for part in parts if traced})


def evidence_of(text: TokenText, gate: TextGate) -> Evidence:
    """What `gate` says of a text; it is not read again where the same gate has read it."""
    if isinstance(text, ReadText) and text.gate is gate:
        return text.evidence
    return gate.read(text.text)


def evidence_of_part(text: TokenText | None, part: str, gate: TextGate) -> Evidence:
    """The same of a part of a text."""
    if isinstance(text, ReadText) and text.gate is gate and part in text.parts:
        return text.parts[part]
    return gate.read(part)
