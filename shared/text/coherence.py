"""Does an answer read as language, and do two answers say the same?

Small models that are steered fail in two ways: they loop, or say a sentence by halves. With a name taken out of the
prompt they say how gladly they would help, and are sure of it.
"""

import re
from difflib import SequenceMatcher
from typing import Final

TAIL: Final = 400  # characters at the end of an answer that are read for a loop
REPEATED: Final = re.compile(r"(.{1,60}?)\1{3,}.{0,60}\Z", re.DOTALL)  # the last time round may be cut off
LOOP: Final = 8  # characters that a loop has at least
ALIKE: Final = 0.7  # share of words that a half said sentence has in common with the whole one
SHARED: Final = 0.5  # share of the words of an answer that another one has which answers the same
SENTENCE: Final = re.compile(r"[.!?…:\n]")  # ends one


def goes_in_circles(text: str) -> bool:
    """Whether the answer ends in the same words, letters or full stops at least four times over."""
    found = REPEATED.search(text.strip()[-TAIL:])
    if found is None:
        return False
    again = found[1]
    rest = found[0][: len(found[0]) - len(found[0]) % len(again)]
    speaks = any(character.isalpha() for character in again) or not again.strip(".,!? ")
    in_step = found[0] == (again * (len(found[0]) // len(again) + 1))[: len(found[0])]
    return speaks and in_step and len(rest) >= LOOP


def garbles(text: str, sentence: str) -> bool:
    """Whether the answer is `sentence` with words left out, doubled or strange, and not the sentence or its beginning.

    "I do not know person person" garbles "I do not know this person." Words are compared (the ratio of
    Ratcliff and Obershelp, `difflib`); an answer that goes on after the sentence says something else.
    """
    said, whole = (re.findall(r"\w+", part.casefold()) for part in (text, sentence))
    if not said or said == whole[: len(said)]:
        return False
    return SequenceMatcher(None, said, whole, autojunk=False).ratio() >= ALIKE


def answers_alike(first: str, second: str, question: str) -> bool:
    """Whether at least half of what `second` says that is not in the question is in `first` too.

    That has to hold of all its words, and of the names and numbers in it. So an answer about somebody else, of whom the
    first one spoke as well, is told from another subject, and from the same sentence with another place or year in it,
    which is made up.
    """
    known, said, asked = (set(re.findall(r"\w+", text.casefold())) for text in (first, second, question))
    return all(len(part & known) >= SHARED * len(part) for part in (said - asked, _values(second) - asked))


def _values(text: str) -> set[str]:
    """The names and numbers in a text: words with a digit, and those with a capital that opens no sentence."""
    values, end = set(), 0
    for found in re.finditer(r"\w+", text):
        word, before = found[0], text[end : found.start()]
        named = end > 0 and len(word) > 1 and word[0].isupper() and not SENTENCE.search(before)
        if named or any(character.isdigit() for character in word):
            values.add(word.casefold())
        end = found.end()
    return values
