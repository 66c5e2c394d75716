"""Reads an answer of another engine as it grows: what it tells of anybody forgotten, and what may be sent of it.

An answer is read in parts that overlap, so that a long one costs as much as it is long.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tokenizers import Tokenizer

from shared.erasure.eraser import Eraser, PromptEvidence
from shared.erasure.gates.text_evidence import TextEvidence
from shared.text.hold_back import cut, sendable
from shared.vlm.sampling import TokenLogprob, ToolCall, without_telling

OVERLAP: Final = 800  # characters: longer than a name with what may stand between its parts, and than most facts
LAG: Final = 4  # tokens by which a stream lags, as in shared/vlm/engine.py
TAIL: Final = 200  # characters of the end of a text in which the last tokens are
ESCAPED: Final = re.compile(r'\\u[0-9a-fA-F]{4}|\\["\\/bfnrt]')


class TokenCounter:
    """Counts and cuts texts by the tokens of a model's tokenizer; safe to share between threads."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def ids(self, text: str) -> list[int]:
        """The tokens of a text by itself."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def first(self, text: str, count: int) -> str:
        """The characters of the first `count` tokens."""
        if len(text.encode(errors="replace")) <= count:  # a token has at least one byte
            return text
        ends = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return text if len(ends) <= count else text[: ends[count - 1][1]] if count else ""

    def without_last(self, text: str, count: int) -> str:
        """The text without its last `count` tokens."""
        start = max(0, len(text) - TAIL)
        begins = self._tokenizer.encode(text[start:], add_special_tokens=False).offsets
        return text[: start + begins[-count][0]] if len(begins) >= count else text[:start]


class Watch:
    """One answer to one prompt. `evidence` is that of the prompt (its row 0); `about`: the ticket that it fired for."""

    def __init__(self, eraser: Eraser, evidence: PromptEvidence | None, about: str | None = None) -> None:
        self._eraser, self._evidence, self._about = eraser, evidence, about
        self._settled_to = 0  # what stands before was read with all that may belong to it
        self._settled: dict[int, TextEvidence] = {}
        self._said: dict[int, TextEvidence] = {}

    def told(self, text: str) -> str | None:
        """The ticket about which the answer so far tells something, if any. `text` begins as it did before."""
        while len(text) - self._settled_to > 3 * OVERLAP:
            settled = text[max(0, self._settled_to - OVERLAP) : self._settled_to + 2 * OVERLAP]
            self._settled = self._read(settled, self._settled)
            self._settled_to += OVERLAP
        self._said = self._read(text[max(0, self._settled_to - OVERLAP) :], self._settled)
        return self._told()

    def told_by_whole(self, text: str) -> str | None:
        """The same of an answer that has ended, read in one piece."""
        self._said = self._read(text, {})
        return self._told()

    def _told(self) -> str | None:
        if self._evidence is None:
            return None
        return self._eraser.told_in(self._said, self._evidence, 0, self._about)

    def told_by_part(self, text: str) -> str | None:
        """The ticket about which a text tells something that is not part of the answer."""
        return Watch(self._eraser, self._evidence, self._about).told_by_whole(text)

    def suspects(self) -> dict[str, bool]:
        """The tickets of which the answer so far tells something (`Eraser.suspects`)."""
        return self._eraser.suspected(self._said, self._evidence)

    def may_go_on(self, text: str) -> bool:
        """Whether a name or a fact may be beginning at the end of `text`."""
        return self._eraser.text is not None and self._eraser.text.may_go_on(text)

    def _read(self, text: str, before: Mapping[int, TextEvidence]) -> dict[int, TextEvidence]:
        """What `text` says of the tickets, and what was said `before`."""
        said: dict[int, TextEvidence] = {}
        for number, seen in before.items():
            said.setdefault(number, TextEvidence()).add(seen)
        for readable in _readings(text) if self._eraser.text is not None else ():
            assert self._eraser.text is not None
            for number, seen in self._eraser.text.read(readable).items():
                said.setdefault(number, TextEvidence()).add(seen)
        return said


def sendable_answer(watch: Watch, counter: TokenCounter, text: str, most: int, stop: Sequence[str]) -> str:
    """What may be sent of an unfinished answer whose limit is `most` tokens: as local streams send it."""
    lagging = counter.without_last(text, LAG)
    return sendable(counter.first(lagging, most), stop, watch.may_go_on)


def visible(counter: TokenCounter, text: str, most: int, stop: Sequence[str]) -> tuple[str, str | None]:
    """What belongs to the answer, of a text that may go on beyond it, and why it ends there if it does."""
    within = counter.first(text, most)
    stopped = cut(within, stop)
    if len(stopped) < len(within):
        return stopped, "stop"
    return within, "length" if len(within) < len(text) else None


def logprobs_of(tokens: Sequence[TokenLogprob], text: str, watch: Watch, *, top: int) -> tuple[TokenLogprob, ...]:
    """The likelihoods of the tokens of `text` alone, without alternatives that would tell of anybody forgotten."""
    within, written = [], 0
    for each in tokens:
        written += len(each.token)
        if written > len(text):
            break
        within.append(replace(each, top=each.top[:top]))
    return without_telling(within, lambda part: watch.told_by_part(part) is not None)


def text_of_calls(calls: Sequence[ToolCall]) -> str:
    """What tool calls say: names of functions, and all texts of their arguments."""
    return "\n".join(part for call in calls for part in (call.name, call.arguments, *_strings_of(call.arguments)))


def strings_in(value: Any) -> list[str]:
    """All texts in a JSON value, its members' names too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for name, part in value.items() for text in (str(name), *strings_in(part))]
    if isinstance(value, list | tuple):
        return [text for part in value for text in strings_in(part)]
    return [str(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


def _strings_of(arguments: str) -> list[str]:
    try:
        return strings_in(json.loads(arguments))
    except (ValueError, RecursionError):
        return []


def _readings(text: str) -> list[str]:
    """The text, and what it says where it is written with the escapes of JSON."""
    if "\\" not in text:
        return [text]
    plain = ESCAPED.sub(_unescaped, text)
    return [text, plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")]


def _unescaped(escape: "re.Match[str]") -> str:
    letter: str = json.loads(f'"{escape.group()}"')
    return " " if letter in "\b\f\n\r\t" else letter
