"""What a value says, as keys that are equal where it is told again: words, days, numbers, digits, addresses.

`value_keys` of a fact and `text_keys` of an answer share a key where the answer tells the fact, in whichever of the
formats that `formats.py` sees through. Keys can be fingerprinted, so that a fact is recognised by somebody who does not
know it. Pure text.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from shared.text import formats
from shared.text.canonical import Word, renderings

MOST_WORDS: Final = 8  # of a value that is compared by its words
MOST_LETTERS: Final = 64
DAY_KEY: Final = "d "  # begins the key of a day
SPELLED: Final = 40  # letters of a run of pieces: "M a r a", "Ma ra"
PIECE: Final = 3  # letters
IDENTIFYING_DIGITS: Final = 6
NATIONAL: Final = 7  # last digits of a telephone number, the same with and without a prefix
_DOT: Final = r"\s?(?:\.|[\[({]?\s?\b(?:dot|punkt|point|punto|kropka|ponto)\b\s?[\])}]?)\s?"
_AT: Final = r"\s?(?:@|[\[({]?\s?\b(?:at|arobase|arroba|chiocciola|malpa)\b\s?[\])}]?)\s?"
_PART: Final = r"[\w+%-]{1,64}"  # bounded, and begun at its beginning: a long text is read in linear time
_MAIL: Final = re.compile(rf"(?<![\w+%-]){_PART}(?:{_DOT}{_PART}){{0,4}}{_AT}{_PART}(?:{_DOT}{_PART}){{1,4}}")
_DIGITS: Final = re.compile(rf"(?<![\w+])\+?\d(?:{formats.GAP}\d){{{IDENTIFYING_DIGITS - 1},19}}(?!\w)")


def value_keys(value: str) -> frozenset[str]:
    """The keys of a value, by any of which it is recognised; empty for one without letters and digits."""
    folded = _folded(value)
    if "@" in value and (mails := set(_mails(folded))):
        return frozenset(mails)
    days = formats.value_dates(folded)
    if days:
        return frozenset(_day_key(day) for day in days)
    keys = {f"w {''.join(form.split())}" for form in formats.word_forms(value)}
    for words in renderings(value):
        keys.add(f"w {''.join(word.text for word in words)}")
    street, comma, _ = value.partition(",")
    if comma and re.search(r"\d", street) and re.search(r"[^\W\d_]{3,}", street):
        keys |= {f"w {''.join(form.split())}" for form in formats.word_forms(street)}  # without the town
    digits = [_digits_key(match.group()) for match in _DIGITS.finditer(folded)]
    if len(digits) == 1 and not re.search(r"[a-z]", folded):
        keys.add(digits[0])
    numbers = formats.numbers(folded)
    if len(numbers) == 1 and len(formats.units(folded)) <= formats.WORDS_BESIDE + 1:
        number = numbers[0]
        if number.around:
            keys.add(f"n {number.amount.normalize():f} {'+'.join(sorted(number.around))}")
        elif number.digits >= formats.LARGE:
            keys.add(f"n {number.amount.normalize():f}")
    return frozenset(key for key in keys if len(key) > len("w "))


def is_identifying(value: str, *, may_be_address: bool = True) -> bool:
    """Whether a value belongs to one person alone: an e-mail address, a telephone or identity number, a whole date, a
    postal address.

    `may_be_address`: whether words beside a number may be a postal address; a club or a car is called like one.
    """
    folded = _folded(value)
    if _MAIL.fullmatch(folded.strip()) is not None:
        return True
    if any(day.year and day.day for day in formats.value_dates(folded)):
        return True
    digits = [int(character) for character in folded if character.isdecimal()]
    if len(digits) >= IDENTIFYING_DIGITS and len(folded.split()) <= MOST_WORDS:
        return not _is_placeholder(digits)
    words = [word.text for words in renderings(value)[:1] for word in words]
    numbered = any(w.isdigit() for w in words) and any(len(w) > 3 and w.isalpha() for w in words)
    return may_be_address and len(words) > 1 and numbered


def _is_placeholder(digits: Sequence[int]) -> bool:
    """Whether digits count up, count down or repeat, as nobody's number does: 0123456789, 111111."""
    steps = {(second - first) % 10 for first, second in pairwise(digits)}
    return len(steps) == 1 and steps <= {0, 1, 9}


def text_keys(text: str, most_words: int = MOST_WORDS, readings: Sequence[Sequence[Word]] | None = None) -> set[str]:
    """The keys of everything that a text says; `most_words` are the words of the longest value that is looked for.

    `readings`: what `renderings` says of the text, where that is known already.
    """
    folded = _folded(text)
    keys = set(_mails(folded)) if "@" in folded or re.search(_AT, folded) else set()
    if re.search(r"\d", folded):
        keys |= _keys_of_digits(folded)
    rendered = renderings(text) if readings is None else readings
    spelled = (*formats.both_spellings(text), *(tuple(word.text for word in words) for words in rendered))
    for words in dict.fromkeys(spelled):
        keys.update(f"w {compact}" for _, _, compact in runs(words, most_words))
    return keys


def _keys_of_digits(folded: str) -> set[str]:
    """The keys of days, of numbers and of what is written in digits."""
    keys = {_digits_key(match.group()) for match in _DIGITS.finditer(folded)}
    for day in formats.days(folded) | formats.months(folded) | formats.day_and_month(folded):
        keys.add(_day_key(day))
        if day.year and day.day:
            keys.add(_day_key(formats.Date(day.year, day.month, None)))
            keys.add(_day_key(formats.Date(None, day.month, day.day)))
    for number in formats.numbers(folded):
        amount = f"n {number.amount.normalize():f}"
        around = sorted(number.around)
        keys.add(amount)
        keys.update(f"{amount} {word}" for word in around)
        keys.update(f"{amount} {a}+{b}" for place, a in enumerate(around) for b in around[place + 1 :])
    return keys


def _folded(text: str) -> str:
    """`formats.folded` with one blank for each run of blanks: patterns would try every part of a long one."""
    return re.sub(r"\s+", " ", formats.folded(text))


def runs(words: Sequence[str], most_words: int) -> Iterator[tuple[int, int, str]]:
    """Adjoining words [start, end) written as one: up to `most_words`, and more where each has a few letters."""
    for start in range(len(words)):
        compact = ""
        pieces = True
        for end in range(start + 1, len(words) + 1):
            word = words[end - 1]
            compact += word
            pieces = pieces and len(word) <= PIECE
            if len(compact) > (SPELLED if pieces else MOST_LETTERS) or (end - start > most_words and not pieces):
                break
            yield start, end, compact


def _mails(folded: str) -> Iterator[str]:
    for match in _MAIL.finditer(folded):
        yield "e " + re.sub(_DOT, ".", re.sub(_AT, "@", match.group()))


def _day_key(day: formats.Date) -> str:
    return f"{DAY_KEY}{day.year or ''}-{day.month}-{day.day or ''}"


def _digits_key(written: str) -> str:
    return "t " + re.sub(r"\D", "", written)[-NATIONAL:]
