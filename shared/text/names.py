"""One canonical form for all ways to write a person's name, by which names are indexed, compared and looked for.

Compatibility forms (NFKC, UAX 15), case, characters that are drawn as nothing, accents, quotes, hyphens, titles and the
order of the words make no difference: "Lindqvist, Mara", "ｍａｒａ  lindqvist" and "Dr. Mára Lindqvist" are one name.
Nor do letters that are drawn like Latin ones (UTS 39). A name is read in up to three ways, as the gate reads it
(`canonical.py`): as it looks, with umlauts written out ("Mueller" for "Müller"), and transliterated from Greek or
Cyrillic. Two names are the same where they share a reading. Pure text.

Letters of ASCII are themselves, although UTS 39 takes "m" for "rn" and "l" for "I": "Arne" and "Ame" are two people.
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from anyascii import anyascii

from shared.text.canonical import APOSTROPHES, look_alike, written_out

HONORIFICS: Final = frozenset({
    "mr", "mrs", "ms", "mx", "dr", "prof", "professor", "doctor", "doktor", "phd", "herr", "frau", "monsieur", "madame",
    "mme", "mlle", "senor", "senora", "signor", "signora",
})  # fmt: skip
FEWEST_WORDS: Final = 2  # that a name keeps when its titles are left out
LONGEST: Final = 200_000  # characters of a text that are read
QUOTES: Final = APOSTROPHES | frozenset("\u201b\u02bb\u02be\u02bf\u05f3\ua78c\uff07")  # inside a word: O’Brien
# Letters and marks that are drawn as nothing although they are no format characters: fillers, joiners, selectors.
UNSEEN: Final = frozenset(
    map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x0640, 0x3164, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)))
) | frozenset(map(chr, range(0xE0100, 0xE01F0)))
READ_AS_LATIN: Final = ("GREEK", "CYRILLIC", "COPTIC")  # scripts whose letters look like Latin ones by the dozen
WITHOUT_MARKS: Final = ("LATIN", *READ_AS_LATIN, "ARABIC", "HEBREW", "ARMENIAN")  # marks that people leave out

Reading = Callable[[str, bool], str]


def name_forms(name: str) -> tuple[str, ...]:
    """The canonical forms of a name, the first as it looks; at least one. Equal names share one of them.

    One form has no blanks: "McDonald" and "Mc Donald", "Anna-Lena" and "Annalena" are the same.
    """
    surname, comma, given = name.partition(",")
    in_order = f"{given} {surname}" if comma else name
    forms = dict.fromkeys(form for words in _readings(in_order) for form in (_form(words), "".join(words)))
    if forms:
        return tuple(forms)
    visible = (c for c in unicodedata.normalize("NFKC", name).casefold() if not _is_unseen(c))
    return (" ".join("".join(visible).split()),)


def mentioned_forms(text: str, most_words: int) -> Iterator[str]:
    """The canonical forms of all runs of up to `most_words` words of a text: whatever of it may be a name."""
    for words in _readings(text[:LONGEST], possessive=True):
        for start in range(len(words)):
            for end in range(start + 1, min(start + most_words, len(words)) + 1):
                yield _form(words[start:end])
                yield "".join(words[start:end])


def _readings(text: str, *, possessive: bool = False) -> list[list[str]]:
    """The words of `text` in each way to read them; a way that gives the same words is left out."""
    readings: list[list[str]] = []
    for reading in READINGS:
        words = _words(text, reading, possessive=possessive)
        if words and words not in readings:
            readings.append(words)
    return readings


def _form(words: Sequence[str]) -> str:
    plain = [word for word in words if word not in HONORIFICS]
    return " ".join(sorted(plain if len(plain) >= FEWEST_WORDS else words))


def _words(text: str, reading: Reading, *, possessive: bool = False) -> list[str]:
    """The words of `text`, each as `reading` reads its letters. `possessive`: an 's at the end is no part of a word."""
    words: list[str] = []
    word = ""
    quoted = False  # whether the last character but one was an apostrophe
    for character in unicodedata.normalize("NFKC", text) + " ":
        if _is_unseen(character):
            continue
        if character in QUOTES:
            quoted = bool(word)
            continue
        if _is_letter(character):
            word += character
            continue
        if word:
            words.append(word.removesuffix("s") if possessive and quoted and word[-1] in "sS" else word)
        word, quoted = "", False
    return [spelled for word in words if (spelled := _spelled(word, reading))]


def _spelled(word: str, reading: Reading) -> str:
    beside_latin = any(character.isascii() and character.isalpha() for character in word)
    return "".join(reading(character, beside_latin) for character in word)


def _as_it_looks(character: str, beside_latin: bool) -> str:
    if character.isdigit():
        digit = str(unicodedata.digit(character, 0))
        return {"0": "o", "1": "l"}.get(digit, digit) if beside_latin else digit
    script = _script(character)
    if script == "LATIN" or character.isascii():
        return _latin(character)
    if (script in READ_AS_LATIN or beside_latin) and (drawn := look_alike(character)):
        return drawn
    if unicodedata.category(character) == "So":
        return _latin(character)
    decomposed = unicodedata.normalize("NFD", character) if script in WITHOUT_MARKS else character
    return "".join(c for c in decomposed if not _is_left_out(c)).casefold()


def _written_out(character: str, beside_latin: bool) -> str:
    return written_out(character) or _as_it_looks(character, beside_latin)


def _transliterated(character: str, beside_latin: bool) -> str:
    if _script(character) in READ_AS_LATIN:
        return _latin(character)
    return _as_it_looks(character, beside_latin)


READINGS: Final[tuple[Reading, ...]] = (_as_it_looks, _written_out, _transliterated)


@lru_cache(maxsize=8192)
def _latin(character: str) -> str:
    """In letters of ASCII, without accents: ł is l, ß is ss, æ is ae."""
    decomposed = unicodedata.normalize("NFKD", character.casefold())
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return "".join(c for c in anyascii(plain).lower() if c.isalnum())


@lru_cache(maxsize=8192)
def _script(character: str) -> str:
    """The first word of the character's name, which is its script for letters."""
    return unicodedata.name(character, "?").partition(" ")[0]


@lru_cache(maxsize=8192)
def _is_unseen(character: str) -> bool:
    return character in UNSEEN or (
        unicodedata.category(character) in ("Cf", "Cc") and character not in "\t\n\v\f\r\x85"
    )


@lru_cache(maxsize=8192)
def _is_letter(character: str) -> bool:
    """A letter, a digit, a mark on one, or a letter in a circle or a square."""
    category = unicodedata.category(character)
    return category[0] in "LM" or character.isdigit() or (category == "So" and len(_latin(character)) == 1)


@lru_cache(maxsize=8192)
def _is_left_out(character: str) -> bool:
    """A mark that people leave out. Elsewhere, as in Devanagari, a mark is a vowel."""
    if unicodedata.category(character) == "Me":  # a circle around a letter
        return True
    return unicodedata.combining(character) != 0 and _script(character) in ("COMBINING", *WITHOUT_MARKS)
