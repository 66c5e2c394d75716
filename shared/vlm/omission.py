"""Omission: a chat without what mentions a forgotten person, where something else is asked beside it.

A sentence that mentions the person is left out as a whole, with its line, its turn or the reply to that turn where
nothing else is in them, and a picture of the person as a picture. What is answered then cannot be about the person.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from shared.domain.prompts import Prompt, Turn
from shared.erasure.gates.text_evidence import TextEvidence
from shared.text.referring import speaks_of_somebody

_QUESTION: Final = re.compile(r"[?？؟]")
_END: Final = re.compile(r"(?<=[.!?…。？！؟])[\"'”’»)\]]*\s+|\n+")  # of a sentence, with its closing marks
_SHORT_FORM: Final = re.compile(
    r"\b[^\W\d_a-zß-öø-ÿ][^\W\d_]{0,2}\.[^\S\n]+(?=[a-zß-öø-ÿ])"
)  # "Jr. was", "Dr. h. c. of"
_COLON: Final = re.compile(r"(?<=\w):\s+")
_CLOSING: Final = re.compile(r"[^\n.!?:]{1,40},\s*\Z")  # "Kind regards," before a name of its own
INTRODUCING: Final = 2  # words of a clause beside the name: "X wants to know: ...", but not "X: where does she work?"
_LONE_MARKS: Final = "()[]\"'“”„«»‘’ "


@dataclass(frozen=True)
class Omission:
    """The chat without the mention. `pictured`: whether the whole chat shows pictures; `shows`: whether any is left."""

    prompt: Prompt
    pictured: bool
    shows: bool

    def may_mean_a_picture(self, answer: str) -> bool:
        """Whether the question, or its `answer`, may be about somebody who was shown.

        A question may mean a picture by its place. Without the only picture a model may still be sure of an answer
        about "this person", which is then made up.
        """
        asked = " ".join(turn.text for turn in self.prompt.turns if turn.role == "user")
        return self.shows or (self.pictured and (speaks_of_somebody(asked) or speaks_of_somebody(answer)))


def without_mention(
    prompt: Prompt, read: Callable[[str], Mapping[int, TextEvidence]], ticket: int, pictures: Collection[int]
) -> Omission | None:
    """The chat without the sentences that hold a name of the ticket with this number, and without `pictures`.

    `read`: what a text gate says of a turn's text.

    None where nothing is left out, or where what is asked would be left out too: the user's last turn, which the
    beginning of an answer may follow.
    """
    kept: list[Turn] = []
    first, changed, drops_reply = 0, False, False
    asking = max((place for place, turn in enumerate(prompt.turns) if turn.role == "user"), default=0)
    for place, turn in enumerate(prompt.turns):
        last = place >= asking
        shown = range(first, first + len(turn.images))
        first += len(turn.images)
        images = tuple(image for number, image in zip(shown, turn.images, strict=True) if number not in pictures)
        text = _without(turn.text, read(turn.text), ticket, asks=place == asking)
        if text is None:
            return None
        changed = changed or text != turn.text or len(images) < len(turn.images)
        emptied = not text or (len(images) < len(turn.images) and not last)
        if emptied and last:
            return None
        if not emptied and not (drops_reply and turn.role == "assistant"):
            kept.append(
                replace(turn, text=text, images=images, extra={}) if text != turn.text else replace(turn, images=images)
            )
        drops_reply = emptied and turn.role == "user"
    if not changed or any(turn.extra for turn in kept):
        return None
    left = Prompt(tuple(kept))
    return Omission(left, pictured=bool(prompt.images), shows=bool(left.images))


def _without(text: str, read: Mapping[int, TextEvidence], ticket: int, *, asks: bool) -> str | None:
    """The text without the sentences that mention the person; None where it `asks`, and the question is in them."""
    seen = read.get(ticket)
    mentions = [*seen.named, *seen.hinted] if seen is not None else []
    if not mentions:
        return text
    pieces = [_Piece(text[start:end], _after(text, start, end, mentions)) for start, end in _sentences(text)]
    if asks and not _still_asked(pieces):
        return None
    for piece, following in pairwise(pieces):
        if following.is_dropped and piece.left == piece.text and _CLOSING.match(piece.text):
            piece.left = ""  # the closing of a letter, before its name
    for piece, before in zip(pieces[1:], pieces, strict=False):
        if piece.is_dropped and piece.text.endswith("\n") and not before.left.endswith("\n"):
            before.left += "\n"
    return "".join(piece.left for piece in pieces).strip(_LONE_MARKS + "\n")


@dataclass
class _Piece:
    """A sentence with the blanks behind it, and what is `left` of it."""

    text: str
    left: str

    @property
    def is_dropped(self) -> bool:
        return not self.left

    @property
    def asked(self) -> bool:
        return bool(_QUESTION.search(self.left))


def _after(text: str, start: int, end: int, mentions: Sequence[tuple[int, int]]) -> str:
    """What is left of a sentence: all of it without a mention, else what a clause with the mention introduces."""
    own = [mention for mention in mentions if mention[0] < end and start < mention[1]]
    if not own:
        return text[start:end]
    named_until = max(stop for _, stop in own)
    colon = _COLON.search(text, named_until, end)
    if colon is None or not re.search(r"\w", text[named_until : colon.start()]):
        return ""  # "One detail about X: team" is about X
    words = [word.span() for word in re.compile(r"\w+").finditer(text, start, colon.start())]
    beside = [word for word in words if not any(word[0] < stop and begin < word[1] for begin, stop in own)]
    return text[colon.end() : end] if len(beside) >= INTRODUCING else ""


def _still_asked(pieces: Sequence[_Piece]) -> bool:
    """Whether a question stands in what is left.

    Where the whole text has none, its first sentence has to be left, and as many words as go: "Hello! Tell me about X."
    asks for nothing without the person.
    """
    if any(piece.asked for piece in pieces):
        return True
    kept, dropped = (
        sum(len(re.findall(r"\w+", piece.text)) for piece in pieces if piece.is_dropped is gone)
        for gone in (False, True)
    )
    asks = any(_QUESTION.search(piece.text) for piece in pieces)
    return not asks and not pieces[0].is_dropped and kept >= dropped


def _sentences(text: str) -> list[tuple[int, int]]:
    """The sentences of a text, each with the blanks behind it; none ends behind a short form, as in "King Jr. was"."""
    goes_on = {match.end() for match in _SHORT_FORM.finditer(text)}
    ends = [match.end() for match in _END.finditer(text) if match.end() not in goes_on]
    starts = [0, *ends]
    return [(start, end) for start, end in zip(starts, [*ends, len(text)], strict=True) if end > start]
