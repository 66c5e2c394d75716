"""What may be sent of a text that is still being written, where it is read for names and facts. Knows no model.

Nothing is sent that may belong to a stop word, to a name or to a fact which has yet to be recognised: whole words only,
and none after which one of these may go on.
"""

import re
from collections.abc import Callable, Sequence


def cut(text: str, stop: Sequence[str]) -> str:
    """The text before the first of the stop words."""
    for word in stop:
        at = text.find(word)
        if at >= 0:
            text = text[:at]
    return text


def sendable(text: str, stop: Sequence[str] = (), may_go_on: Callable[[str], bool] | None = None) -> str:
    """The beginning of `text` that may be sent now.

    `may_go_on` says whether a name or fact may be beginning at the end of what it is given; None: nothing is watched.
    """
    held_back = max((len(word) for word in stop), default=1) - 1
    text = cut(text, stop)
    ready = whole_words(text[: len(text) - held_back])
    while ready and may_go_on is not None and may_go_on(ready):
        ready = whole_words(ready)
    return ready


def words_of(text: str) -> list[str]:
    """A text in pieces of one word each, with the blanks before it: together they are the text.

    All streams send such pieces, so that their sizes do not say where an answer comes from.
    """
    return re.findall(r"\s*\S+|\s+\Z", text)


def whole_words(text: str) -> str:
    """The text without its last word, which may go on, and without the blanks before it."""
    return text[: max(text.rfind(" "), text.rfind("\n"), 0)].rstrip()
