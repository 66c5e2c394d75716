"""Prompts as an OpenAI-compatible server takes them, and what is taken out of them where a request fires.

Redaction at the level of the request: an even grey picture of the same size, and "somebody" in the place of a name.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from PIL import Image

from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity import MentionSpans, union
from shared.text.token_text import TokenText
from shared.vlm.redaction import PLACEHOLDER, without_earlier_turns

GREY: Final = (128, 128, 128)
WITHOUT_BLANKS: Final = 0x2E80  # from here on, scripts that write no blanks between words
MESSAGE_MEMBERS: Final = ("role", "content", "tool_calls", "tool_call_id", "name")
Span = tuple[int, int]


class Pictures:
    """The data URLs of pictures (PNG, without loss), each made once. For one request."""

    def __init__(self) -> None:
        self._urls: dict[int, tuple[Image.Image, str]] = {}

    def url(self, picture: Image.Image) -> str:
        """The data URL of a picture."""
        if id(picture) not in self._urls:
            buffer = io.BytesIO()
            picture.convert("RGB").save(buffer, "PNG", compress_level=1)
            text = base64.b64encode(buffer.getvalue()).decode()
            self._urls[id(picture)] = picture, f"data:image/png;base64,{text}"
        return self._urls[id(picture)][1]


def messages_of(prompt: Prompt, pictures: Pictures) -> list[dict[str, Any]]:
    """The chat as OpenAI's members. Of a message with tools, those members alone that OpenAI names."""
    return [_message(turn, pictures) for turn in prompt.turns]


def _message(turn: Turn, pictures: Pictures) -> dict[str, Any]:
    if turn.extra:
        return {name: turn.extra[name] for name in MESSAGE_MEMBERS if name in turn.extra}
    if not turn.images:
        return {"role": turn.role, "content": turn.text}
    parts = [{"type": "image_url", "image_url": {"url": pictures.url(picture)}} for picture in turn.images]
    return {"role": turn.role, "content": [*parts, {"type": "text", "text": turn.text}]}


def redacted(prompt: Prompt, read: TokenText, spans: MentionSpans, eraser: Eraser, ticket: str | None) -> Prompt | None:
    """The redacted prompt; None where nothing can be taken out of it, or not all.

    `read`: what the reader has read, which `spans` counts the tokens of; it is the rendered chat, in which the texts of
    the turns stand in order. What the text gate finds in a turn by itself is taken out as well.
    """
    shorter = without_earlier_turns(prompt, spans)
    if shorter is not None:
        return _plain(shorter)
    if not spans.pictures and not spans.words:
        return None
    marked = [(read.starts[start], _end(read, end)) for start, end in spans.words]
    turns, number = [], 0
    for turn, place in zip(prompt.turns, _places(prompt, read.text), strict=True):
        own = [*_within(turn.text, place, marked, read.text), *_named(turn.text, eraser, ticket)]
        images = []
        for image in turn.images:
            images.append(Image.new("RGB", image.size, GREY) if number in spans.pictures else image)
            number += 1
        turns.append(replace(turn, text=_replaced(turn.text, own), images=tuple(images)))
    changed = Prompt(tuple(turns))
    missed = marked and not spans.pictures and changed == prompt
    if missed or any(seen.named for turn in turns for seen in _read(turn.text, eraser).values()):
        return None
    return _plain(changed)


def _plain(prompt: Prompt) -> Prompt:
    """The turns by their text alone: a redacted request is asked without tools."""
    return Prompt(tuple(Turn(turn.role, turn.text, turn.images) for turn in prompt.turns))


def with_line(prompt: Prompt, line: str, *, system_turns: bool) -> Prompt:
    """The prompt with one more system line; before the last text where the model has no system turns."""
    if not line:
        return prompt
    turns = list(prompt.turns)
    if not system_turns:
        turns[-1] = replace(turns[-1], text=f"{line}\n\n{turns[-1].text}")
    elif turns[0].role == "system":
        turns[0] = replace(turns[0], text=f"{turns[0].text}\n\n{line}")
    else:
        turns.insert(0, Turn("system", line))
    return Prompt(tuple(turns))


def _end(read: TokenText, token: int) -> int:
    """The character behind the token before `token`."""
    return read.starts[token] if token < len(read.starts) else len(read.text)


def _places(prompt: Prompt, text: str) -> list[int | None]:
    """Where each turn's text begins in the rendered chat; None where the template or the tokenizer changed it."""
    places: list[int | None] = []
    behind = 0
    for turn in prompt.turns:
        words = turn.text.strip()
        at = text.find(words, behind) if words else -1
        if at < 0:
            places.append(None)
            continue
        behind = at + len(words)
        places.append(at - turn.text.index(words))
    return places


def _within(text: str, place: int | None, marked: Iterable[Span], rendered: str) -> list[Span]:
    """The parts of `text` that are marked in the rendered chat, where it begins at `place`; else by what they say."""
    if place is not None:
        cut = [(max(0, start - place), min(len(text), end - place)) for start, end in marked]
        return [span for span in cut if span[0] < span[1]]
    spans = []
    for start, end in marked:
        words = rendered[start:end].strip()
        at = text.find(words) if words else -1
        while at >= 0:
            spans.append((at, at + len(words)))
            at = text.find(words, at + len(words))
    return spans


def _read(text: str, eraser: Eraser) -> dict[int, Any]:
    return {} if eraser.text is None else dict(eraser.text.read(text))


def _named(text: str, eraser: Eraser, ticket: str | None) -> list[Span]:
    """Whole names of any ticket, and of `ticket` also what only hints at the name."""
    spans: list[Span] = []
    for number, seen in _read(text, eraser).items():
        meant = eraser.tickets[number] == ticket
        spans += [*seen.named, *(seen.hinted if meant or seen.named else ())]
    return spans


def _replaced(text: str, spans: Sequence[Span]) -> str:
    """The text with the placeholder for each span, which is widened to whole words."""
    widened = [span for start, end in spans if (span := _whole_words(text, start, end)) is not None]
    for start, end in reversed(union(widened)):
        text = text[:start] + PLACEHOLDER + text[end:]
    return text


def _whole_words(text: str, start: int, end: int) -> Span | None:
    """The span without blanks at its ends, and with the rest of the words that it cuts; None for blanks alone."""
    while start < end and not text[start].isalnum():
        start += 1
    while start < end and not text[end - 1].isalnum():
        end -= 1
    if start >= end:
        return None
    while start > 0 and _letter(text[start - 1]) and _letter(text[start]):
        start -= 1
    while end < len(text) and _letter(text[end]) and _letter(text[end - 1]):
        end += 1
    return start, end


def _letter(character: str) -> bool:
    return character.isalnum() and ord(character) < WITHOUT_BLANKS
