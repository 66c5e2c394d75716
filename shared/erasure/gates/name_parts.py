"""Fingerprints, what they stand for, and of which part of a name a word may be a form. Pure text."""

import hashlib
from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

from shared.text.likeness import deletions

FUZZY: Final = 5  # letters from which a part of a name is recognised with one slip
SHORT: Final = 4  # letters of a part that is recognised with one slip where another part stands beside it
SHORTEST_STEM: Final = 3  # letters of a part of a name before the ending of a case: "Jonowi"
LONGEST_ENDING: Final = 3  # letters of a case: "Michaelowi"
LONGEST_WORD: Final = 32  # letters of a part of a name that is recognised with a slip
LONGEST_SUFFIX: Final = 6  # letters of an ending that makes another word of a part: "Michaelchen", "Lindqvistovich"


class Kind(IntEnum):
    """What a fingerprint stands for. The numbers are stored."""

    PART = 0  # one word of a name
    SLIP = 1  # that word without one of its letters
    WHOLE = 2  # a name written as one word
    INITIAL = 3  # the last name behind the initial of the first, or a name that is like this one
    VALUE = 4  # a fact
    IDENTIFYING = 5  # a fact that belongs to one person alone
    BEGINNING = 6  # the first words of a name or of a fact
    COMMON = 7  # a fact that the model tells of another person too; `part` is that person's number


class Entry(NamedTuple):
    """A fingerprint of a ticket. `group`: the number of the name or fact; `part`: which word of the name."""

    fingerprint: int
    kind: Kind
    group: int
    part: int


Table = Mapping[int, Sequence[tuple[int, Entry]]]  # by fingerprint: the tickets that it belongs to
Part = tuple[int, int, int]  # of which ticket, which of its names, and which word of it


def declined(table: Table, key: bytes, word: str) -> set[Part]:
    """The tickets, names and parts of which a word may be a form in another case, or one with a slip: "Michaelem"."""
    if len(word) < FUZZY:
        return set()
    stems = dict.fromkeys((*slips(word), *(word[:-cut] for cut in range(1, LONGEST_ENDING + 1))))
    return {
        (ticket, entry.group, entry.part)
        for stem in stems
        if len(stem) >= SHORTEST_STEM
        for kind in (("p", "s") if len(stem) >= FUZZY - 1 else ("p",))
        for ticket, entry in table.get(fingerprint(f"{kind} {stem}", key), ())
    }


def short_with_a_slip(table: Table, key: bytes, word: str) -> set[Part]:
    """The same of a word that may be a short part of a name with one slip: "Tosa"."""
    if not SHORT - 1 <= len(word) <= SHORT + 1:
        return set()
    found = (each for slip in deletions(word) for each in table.get(fingerprint(f"t {slip}", key), ()))
    return {(ticket, entry.group, entry.part) for ticket, entry in found}


def lengthened(table: Table, key: bytes, word: str) -> set[Part]:
    """The same of a word that may be made of a part with a longer ending: "Michaelchen", "Lindqvistsson"."""
    stems = (word[:-cut] for cut in range(LONGEST_ENDING + 1, LONGEST_SUFFIX + 1))
    found = (each for stem in stems if len(stem) >= SHORT for each in table.get(fingerprint(f"p {stem}", key), ()))
    return {(ticket, entry.group, entry.part) for ticket, entry in found}


def plural(table: Table, key: bytes, word: str) -> list[tuple[int, Entry]]:
    """The tickets with a part of a name of which a word is the plural, or the genitive elsewhere: "Vogels"."""
    if len(word) < FUZZY or not word.endswith("s"):
        return []
    return [found for found in table.get(fingerprint(f"p {word[:-1]}", key), ()) if found[1].kind is Kind.PART]


@lru_cache(maxsize=1 << 17)
def fingerprint(text: str, key: bytes) -> int:
    """64 bits of a keyed BLAKE2b hash, as a signed integer."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, key=key).digest(), "little", signed=True)


@lru_cache(maxsize=1 << 14)
def slips(word: str) -> tuple[str, ...]:
    """The word, and the word without each of its letters: two words that differ by one letter share one of these
    (symmetric deletion); none for short words."""
    if not FUZZY <= len(word) <= LONGEST_WORD:
        return ()
    return deletions(word)
