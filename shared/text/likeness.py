"""Words that stand for a name without being it: letters repeated, a name inside a handle, a name written by ear.

Each function gives keys that are equal for words that are alike in one respect. What is alike is a hint and no proof.
Pure text.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

SHORTEST_INSIDE: Final = 8  # letters of a name that is looked for inside a longer word
MOST_AROUND: Final = 12  # letters before and behind it together: "thereal...", "...official"
LONGEST_WORD: Final = 48
FEWEST_SOUNDS: Final = 5  # of both parts of a name together
_DOUBLED: Final = re.compile(r"(.)(?=\1)")  # a letter before the same one
_SOUNDS: Final = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"tsch|tch|sch|sh|cz|sz", "s"),
        (r"ph|pf|v|w", "f"),
        (r"ck|ch|kh|gh|qu|q|g|c(?![eiy])", "k"),
        (r"x", "ks"),
        (r"[cz]", "s"),
        (r"dt|d|th", "t"),
        (r"b", "p"),
        (r"h", ""),
    )
)
_VOWELS: Final = re.compile(r"[aeiouyj]+")


def deletions(word: str) -> tuple[str, ...]:
    """The word, and the word without each of its letters: equal keys for words that are one slip apart."""
    return tuple(dict.fromkeys((word, *(word[:at] + word[at + 1 :] for at in range(len(word))))))


def squeezed(word: str) -> str | None:
    """The word with each run of the same letter as one; None where it has no such run."""
    bare = _DOUBLED.sub("", word)
    return bare if len(bare) < len(word) else None


def inside(word: str) -> Iterator[str]:
    """What a name may be of which a word is made with up to MOST_AROUND other letters; nothing of a very long word."""
    length = len(word)
    if not SHORTEST_INSIDE < length <= LONGEST_WORD:
        return
    for size in range(max(SHORTEST_INSIDE, length - MOST_AROUND), length):
        for start in range(length - size + 1):
            yield word[start : start + size]


@lru_cache(maxsize=1 << 14)
def sounds(word: str) -> str:
    """The consonants of a word by their sound, voiced ones as voiceless, with an "a" for a vowel at its beginning."""
    for pattern, sound in _SOUNDS:
        word = pattern.sub(sound, word)
    opening = "a" if _VOWELS.match(word) else ""
    return opening + _DOUBLED.sub("", _VOWELS.sub("", word))


def by_ear(first: str, last: str) -> str | None:
    """How two words of a name sound; None where they have too few sounds to be told from others."""
    heard = sounds(first), sounds(last)
    return " ".join(heard) if all(heard) and sum(map(len, heard)) >= FEWEST_SOUNDS else None
