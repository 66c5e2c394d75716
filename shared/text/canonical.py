"""One form for every way to write the same words, and where in the text they stand.

Case, accents, width, invisible characters, markup and look-alike letters do not make another word: "Ｍａｒａ",
"m\u200bara", "MARA", "**Mara**" and "Mаra" with a Cyrillic а are all `mara`. Unicode's compatibility decomposition
(UAX 15) comes first, then the table of confusables (UTS 39, package `confusable-homoglyphs`), then a transliteration
into ASCII (package `anyascii`). Pure text.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from anyascii import anyascii
from confusable_homoglyphs import confusables

UMLAUTS: Final = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"}  # written out, as on keyboards without them
APOSTROPHES: Final = frozenset("'\u2018\u2019\u02bc\u2032`\u00b4")
IDEOGRAPHS: Final = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "CJK COMPATIBILITY IDEOGRAPH")  # a word each: no blanks
LONGEST: Final = 200_000  # characters of a text that are read at once
OVERLAP: Final = 2_000  # characters that two windows of a longer text have in common

SENTENCE_ENDS: Final = (".", "!", "?", ":", "\n", "\u2026", "\u3002", ">", "]", '"')  # behind the last word of one
TITLES: Final = frozenset({
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "lady", "lord", "herr", "frau", "fraulein", "monsieur",
    "madame", "mme", "mlle", "senor", "senora", "don", "dona", "signor", "signora", "pan", "pani", "doctor", "doktor",
    "professor", "doctora", "dottore",
})  # fmt: skip
_UNSEEN: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f'`]*"  # in ASCII: control characters and apostrophes
_ASCII_WORD: Final = re.compile(rf"(?:[a-z]{_UNSEEN}(?=[a-z0-9])|[A-Z0-9]{_UNSEEN}(?=[A-Za-z0-9]))*[A-Za-z0-9]")


@dataclass(frozen=True)
class Word:
    """`text`: lower-case ASCII letters and digits. [`start`, `end`): its characters in the source.

    `capital`: it is written with a capital letter. `opens`: it is the first of a sentence, so that a capital says
    nothing.
    """

    text: str
    start: int
    end: int
    capital: bool
    opens: bool


def windows(text: str) -> Iterator[tuple[int, str]]:
    """A text in parts of at most LONGEST characters that overlap, each with its place."""
    for first in range(0, max(1, len(text) - OVERLAP), LONGEST - OVERLAP):
        yield first, text[first : first + LONGEST]


def renderings(text: str) -> list[list[Word]]:
    """The words of `text`, once for each way to read its letters: plain, umlauts written out, as look-alikes.

    A reading that gives the same words as an earlier one is left out; there is always one.
    """
    read = text[:LONGEST]
    found = [_words(read, _plain)]
    if not read.isascii():
        for letter in (_written_out, _look_alike):
            words = _words(read, letter)
            if all([word.text for word in words] != [word.text for word in other] for other in found):
                found.append(words)
    return found


def _words(text: str, read: Callable[[str], str]) -> list[Word]:
    words = []
    opens = True
    for start, end in _spans(text):
        written = text[start:end]
        spelling = written.lower() if written.isascii() and written.isalnum() else "".join(map(read, written))
        if spelling.endswith("s") and len(written) > 2 and written[-2] in APOSTROPHES:  # Mara's
            spelling = spelling[:-1]
        if spelling:
            words.append(Word(spelling, start, end, written[0].isupper(), opens))
        following = text[end : end + 1]
        abbreviates = following == "." and (spelling in TITLES or (bool(words) and _is_initial(words[-1])))
        opens = following in SENTENCE_ENDS and not abbreviates
    return words


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """[start, end) of each word: letters and digits, with what is invisible or an apostrophe between them.

    A capital after a small letter begins another word.
    """
    if text.isascii():
        yield from (match.span() for match in _ASCII_WORD.finditer(text))
        return
    start = end = -1
    for at, character in enumerate(text):
        if _is_part(character):
            alone = _is_ideograph(character)
            camel = start >= 0 and character.isupper() and text[end - 1].islower()
            if start >= 0 and (alone or camel or _is_ideograph(text[end - 1])):
                yield start, end
                start = -1
            if start < 0:
                start = at
            end = at + 1
        elif start >= 0 and not (_is_invisible(character) or character in APOSTROPHES):
            yield start, end
            start = -1
    if start >= 0:
        yield start, end


def _is_initial(word: Word) -> bool:
    """Whether a word is the first letter of a name ("by F. Scott"), and not the letter of an item of a list."""
    return len(word.text) == 1 and word.text.isalpha() and word.capital and not word.opens


@lru_cache(maxsize=4096)
def _is_part(character: str) -> bool:
    """A letter or a digit, also one in a circle or a square, or written small above another one."""
    if any(part.isalnum() for part in unicodedata.normalize("NFKD", character)) or _letter_above(character):
        return True
    return unicodedata.category(character) == "So" and len(letter := anyascii(character)) == 1 and letter.isalpha()


@lru_cache(maxsize=4096)
def _is_invisible(character: str) -> bool:
    """Format characters, combining marks and variation selectors: they are drawn as nothing, or on a letter."""
    return unicodedata.category(character) in ("Cf", "Mn", "Me", "Cc") and character not in "\n\t\r"


def _letter_above(character: str) -> str:
    """The letter that a combining mark is, as in "Muͤller"; nothing for other characters."""
    name = unicodedata.name(character, "") if unicodedata.combining(character) else ""
    letter = name.removeprefix("COMBINING LATIN SMALL LETTER ")
    return letter.lower() if len(letter) == 1 else ""


@lru_cache(maxsize=4096)
def _is_ideograph(character: str) -> bool:
    return unicodedata.name(character, "").startswith(IDEOGRAPHS)


@lru_cache(maxsize=8192)
def _plain(character: str) -> str:
    """Its letters in ASCII, in lower case; nothing for a character that is none."""
    if character.isascii():
        return character.lower() if character.isalnum() else ""
    decomposed = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    return "".join(c for c in anyascii(decomposed.casefold()).lower() if c.isalnum()) or _letter_above(character)


def written_out(character: str) -> str:
    """An umlaut as it is written out, else nothing."""
    return UMLAUTS.get(unicodedata.normalize("NFC", character).lower(), "")


def look_alike(character: str) -> str:
    """The letter or digit of ASCII that it is drawn like, in upper or lower case; nothing where there is none."""
    forms = dict.fromkeys((character, character.casefold(), character.upper()))
    return next((drawn for form in forms if (drawn := _drawn_like(form))), "")


@lru_cache(maxsize=8192)
def _drawn_like(character: str) -> str:
    for decomposed in unicodedata.normalize("NFKD", character)[:1]:
        for other in confusables.confusables_data.get(decomposed, ()):
            letter: str = other["c"]
            if letter.isascii() and letter.isalnum():
                return letter.lower()
    return ""


@lru_cache(maxsize=8192)
def _written_out(character: str) -> str:
    return written_out(character) or _plain(character)


def _look_alike(character: str) -> str:
    """The ASCII letter that it is drawn like, else its plain reading."""
    return _plain(character) if character.isascii() else _drawn_like(character) or _plain(character)
