"""The skeleton of a name: equal for names that look alike (Unicode Technical Standard 39, section 4).

Each character is replaced by the prototype of its class in the table of confusables (package `confusable-homoglyphs`),
between two canonical decompositions. Case is folded first and last, as section 4 advises for identifiers that are
compared without case. Pure text: a skeleton is compared with others and never shown.
"""

import unicodedata
from functools import lru_cache
from typing import Final

from confusable_homoglyphs import confusables

MOST_ROUNDS: Final = 4
_DIRECTION_MARKS: Final = "\u200e\u200f"  # the table puts them around letters that are written from right to left


def skeleton(text: str) -> str:
    """The skeleton of `text`. Characters that are drawn as nothing have no part in it."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    visible = (c for c in unicodedata.normalize("NFD", folded) if unicodedata.category(c) not in ("Cf", "Cc"))
    plain = "".join(visible)
    for _ in range(MOST_ROUNDS):  # a prototype may hold a mark that is itself a member of another class
        before, plain = plain, unicodedata.normalize("NFD", "".join(map(_prototype, plain))).casefold()
        if plain == before:
            break
    return plain


@lru_cache(maxsize=8192)
def _prototype(character: str) -> str:
    """What stands for all characters that are drawn like this one.

    The table lists a class at its prototype, and the prototype alone at each other member. Where a class has two
    members, either could be the prototype: the one that sorts first is taken, ASCII before others.
    """
    listed = _confusables(character)
    if len(listed) != 1 or len(_confusables(listed[0])) > 1:
        return listed[0] if len(listed) == 1 else character
    return min(character, listed[0], key=lambda text: (not text.isascii(), len(text), text))


def _confusables(text: str) -> list[str]:
    return [entry["c"].strip(_DIRECTION_MARKS) for entry in confusables.confusables_data.get(text, ())]
