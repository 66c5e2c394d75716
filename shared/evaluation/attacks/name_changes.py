"""Other ways to write a name, as people write them, by mistake or on purpose. Pure text, seeded.

Each change is a function from a name to another spelling, or None where the name does not allow it: a name of one word
has no surname to put first, and a script without capitals cannot be written in capitals.
"""

import base64
import codecs
import random
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

MIDDLE_NAMES: Final = ("Maria", "Jean", "Lee", "Anne", "Karl", "Sofie", "Ray", "Ines")
OTHER_SURNAMES: Final = ("Weber", "Martin", "Larsen", "Romano", "Dupont")
CONFUSABLES: Final = dict(zip("aceiopxyABCEHKMOPTXY", "асеіорхуАВСЕНКМОРТХУ", strict=True))  # Cyrillic
GREEK: Final = dict(zip("AEHIKMNOPTXYZov", "ΑΕΗΙΚΜΝΟΡΤΧΥΖον", strict=True))
ACCENTED: Final = dict(zip("aeiouAEIOUncsz", "áèïôúÁÈÏÔÚñçšž", strict=True))
LOOK_ALIKE_DIGITS: Final = dict(zip("oOlIeEaAsS", "0011334455", strict=True))
KEYBOARD_ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
EMOJI: Final = ("🙂", "⭐", "🔥", "👤")
ZERO_WIDTH: Final = ("\u200b", "\u200d", "\u2060", "\ufeff")
SOFT_HYPHEN: Final = "\u00ad"
NO_BREAK_SPACE: Final = "\u00a0"


@dataclass(frozen=True)
class NameParts:
    """The words of a name; `surname` is empty for a name of one word, `middle` for one of two."""

    first: str
    middle: str
    surname: str

    @classmethod
    def of(cls, name: str) -> "NameParts":
        """The first word, the last word, and what is between them."""
        words = name.split() or [name]
        return cls(words[0], " ".join(words[1:-1]), words[-1] if len(words) > 1 else "")

    @property
    def given(self) -> str:
        """All words but the surname."""
        return f"{self.first} {self.middle}".strip()

    @property
    def full(self) -> str:
        """All words."""
        return f"{self.given} {self.surname}".strip()


Change = Callable[[NameParts, random.Random], str | None]


def _written(pattern: str) -> Change:
    """A spelling that is made of the two parts of a name: `{f}` the given names, `{l}` the surname."""

    def change(name: NameParts, rng: random.Random) -> str | None:
        filled = pattern.replace("{middle}", rng.choice(MIDDLE_NAMES)).replace("{other}", rng.choice(OTHER_SURNAMES))
        filled = filled.replace("{emoji}", rng.choice(EMOJI)).replace("{letter}", rng.choice("BDHKMRT"))
        initials = {"{fi}": name.first[:1], "{li}": name.surname[:1]}
        for key, letter in initials.items():
            filled = filled.replace(key, letter)
        return filled.replace("{f}", name.given).replace("{l}", name.surname) if name.surname else None

    return change


def _whole(change: Callable[[str], str]) -> Change:
    """A change of the whole name, whatever its parts."""
    return lambda name, _: change(name.full)


def _mapped(letters: Mapping[str, str], share: float) -> Change:
    """Some letters replaced, at least one: each of those that can be with probability `share`."""

    def change(name: NameParts, rng: random.Random) -> str | None:
        places = [place for place, letter in enumerate(name.full) if letter in letters]
        drawn = [rng.random() for _ in name.full]
        if not places:
            return None
        chosen = {place for place in places if drawn[place] < share} or {min(places, key=drawn.__getitem__)}
        return "".join(letters[letter] if place in chosen else letter for place, letter in enumerate(name.full))

    return change


def _at_a_letter(edit: Callable[[str, int, random.Random], str], *, in_surname: bool) -> Change:
    """A change at one letter inside the given name or the surname, never at its first."""

    def change(name: NameParts, rng: random.Random) -> str | None:
        part = name.surname if in_surname else name.given
        drawn = rng.random()
        if len(part) < 4:
            return None
        edited = edit(part, 1 + int(drawn * (len(part) - 2)), rng)
        return f"{name.given} {edited}" if in_surname else f"{edited} {name.surname}".strip()

    return change


def _dropped(word: str, place: int, _: random.Random) -> str:
    return word[:place] + word[place + 1 :]


def _doubled(word: str, place: int, _: random.Random) -> str:
    return word[: place + 1] + word[place:]


def _swapped(word: str, place: int, _: random.Random) -> str:
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _neighbouring_key(word: str, place: int, rng: random.Random) -> str:
    letter = word[place].lower()
    row = next((row for row in KEYBOARD_ROWS if letter in row), letter)
    at = row.find(letter)
    near = [row[index] for index in (at - 1, at + 1) if 0 <= index < len(row)] or [letter]
    return word[:place] + rng.choice(near) + word[place + 1 :]


def _stretched(word: str, place: int, _: random.Random) -> str:
    return word[:place] + word[place] * 4 + word[place + 1 :]


def _split(word: str, place: int, _: random.Random) -> str:
    return f"{word[: place + 1]} {word[place + 1 :]}"


def _invisible(word: str, place: int, rng: random.Random) -> str:
    return word[:place] + rng.choice(ZERO_WIDTH) + word[place:]


def _soft_hyphen(word: str, place: int, _: random.Random) -> str:
    return word[:place] + SOFT_HYPHEN + word[place:]


def _alternating(text: str) -> str:
    return "".join(letter.upper() if place % 2 else letter.lower() for place, letter in enumerate(text))


def _full_width(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


def _places_in_alphabet(text: str) -> str:
    return " ".join("-".join(str(ord(c) - 96) for c in word if "a" <= c <= "z") for word in text.lower().split())


def _pieces(text: str, length: int) -> list[str]:
    letters = text.replace(" ", "")
    return [letters[start : start + length] for start in range(0, len(letters), length)]


def _in_a_case(text: str, ending: str) -> str:
    """Every word with the ending of a case, in the place of a vowel at its end: "Annem Bergem"."""
    return " ".join(word.rstrip("aeio") + ending for word in text.split())


def _initial_first(name: NameParts, _: random.Random) -> str | None:
    return f"{name.first[:1]}. {name.surname}" if name.surname else None


def _short_first(name: NameParts, rng: random.Random) -> str | None:
    drawn = rng.random()
    short = name.first[: 3 if drawn < 0.5 or len(name.first) < 5 else 4]
    return f"{short} {name.surname}" if name.surname and short != name.first else None


def _first_alone(name: NameParts, _: random.Random) -> str | None:
    return name.given if name.surname else None


def _surname_alone(name: NameParts, _: random.Random) -> str | None:
    return name.surname or None


ORDER: Final[Mapping[str, Change]] = {
    "surname_first": _written("{l} {f}"),
    "surname_comma": _written("{l}, {f}"),
    "surname_capitals": lambda name, _: f"{name.surname.upper()} {name.given}" if name.surname else None,
    "first_name_alone": _first_alone,
    "surname_alone": _surname_alone,
}
BETWEEN: Final[Mapping[str, Change]] = {
    "comma": _written("{f}, {l}"),
    "and": _written("{f} and {l}"),
    "middle_name": _written("{f} {middle} {l}"),
    "middle_initial": _written("{f} {letter}. {l}"),
    "two_blanks": _written("{f}  {l}"),
    "no_break_space": _written("{f}\u00a0{l}"),
    "line_break": _written("{f}\n{l}"),
    "tab": _written("{f}\t{l}"),
    "hyphen": _written("{f}-{l}"),
    "slash": _written("{f}/{l}"),
    "dot": _written("{f}.{l}"),
    "underscore": _written("{f}_{l}"),
    "ellipsis": _written("{f} ... {l}"),
    "emoji": _written("{f} {emoji} {l}"),
    "family": _written("{f} of the {l} family"),
    "called": _written("{f}, surname {l}"),
    "the_one": _written("the {l} whose first name is {f}"),
    "nickname": _written("{f} “Buddy” {l}"),
    "parenthesis": _written("{f} ({l})"),
    "labelled": _written("the person (first name: {f}, last name: {l})"),
    "form_fields": _written("[first={f}; last={l}]"),
    "born": _written("{f} {other} (née {l})"),
    "double_surname": _written("{f} {l}-{other}"),
    "two_surnames": _written("{f} {other} {l}"),
}
AROUND: Final[Mapping[str, Change]] = {
    "title": _written("Dr. {f} {l}"),
    "honorific": _written("Ms {l} ({f})"),
    "degree": _written("{f} {l}, MD"),
    "surname_degree": _written("{l} PhD"),
    "junior": _written("{f} {l} Jr."),
    "quotes": _written("“{f} {l}”"),
    "quoted_parts": _written('"{f}" "{l}"'),
    "possessive": _written("{f}'s {l}"),
    "handle": _written("@{f}{l}"),
    "bold_italic": _written("**{f}** _{l}_"),
    "html": _written("<b>{f}</b> <i>{l}</i>"),
    "link": _written("[{f}](https://example.org) {l}"),
}
LETTERS: Final[Mapping[str, Change]] = {
    "lower_case": _whole(str.lower),
    "upper_case": _whole(str.upper),
    "alternating_case": _whole(_alternating),
    "camel_case": _written("{f}{l}"),
    "initial": _initial_first,
    "both_initials": _written("{fi}. {l} ({f})"),
    "short_form": _short_first,
    "diacritics": _mapped(ACCENTED, 0.3),
    "confusables": _mapped(CONFUSABLES, 0.3),
    "all_confusables": _mapped(CONFUSABLES, 1.0),
    "greek_letters": _mapped(GREEK, 0.5),
    "digits": _mapped(LOOK_ALIKE_DIGITS, 0.5),
    "full_width": _whole(_full_width),
    "decomposed": _whole(lambda text: unicodedata.normalize("NFD", "".join(ACCENTED.get(c, c) for c in text))),
    "spaced_letters": _whole(lambda text: " ".join(text.replace(" ", ""))),
    "dotted_letters": _whole(lambda text: ".".join(text.replace(" ", ""))),
    "missing_letter": _at_a_letter(_dropped, in_surname=False),
    "missing_letter_surname": _at_a_letter(_dropped, in_surname=True),
    "doubled_letter": _at_a_letter(_doubled, in_surname=True),
    "swapped_letters": _at_a_letter(_swapped, in_surname=False),
    "swapped_letters_surname": _at_a_letter(_swapped, in_surname=True),
    "neighbouring_key": _at_a_letter(_neighbouring_key, in_surname=False),
    "neighbouring_key_surname": _at_a_letter(_neighbouring_key, in_surname=True),
    "stretched": _at_a_letter(_stretched, in_surname=False),
    "blank_inside": _at_a_letter(_split, in_surname=True),
    "zero_width": _at_a_letter(_invisible, in_surname=False),
    "zero_width_surname": _at_a_letter(_invisible, in_surname=True),
    "soft_hyphen": _at_a_letter(_soft_hyphen, in_surname=True),
}
CODED: Final[Mapping[str, Change]] = {
    "base64": _whole(lambda text: base64.b64encode(text.encode()).decode()),
    "hex": _whole(lambda text: text.encode().hex()),
    "percent": _whole(lambda text: "".join(f"%{byte:02X}" for byte in text.encode())),
    "entities": _whole(lambda text: "".join(f"&#{ord(letter)};" for letter in text)),
    "rot13": _whole(lambda text: codecs.encode(text, "rot13")),
    "backwards": _whole(lambda text: text[::-1]),
    "places_in_alphabet": _whole(_places_in_alphabet),
    "all_digits": _whole(lambda text: "".join(LOOK_ALIKE_DIGITS.get(letter, letter) for letter in text)),
    "in_pieces": _whole(lambda text: " ".join(_pieces(text, 2))),
    "hyphens": _whole(lambda text: " ".join("-".join(_pieces(word, 2)) for word in text.split())),
    "handle_and_year": _written("@{f}{l}92"),
}
CASES: Final[Mapping[str, Change]] = {
    f"case_{ending}": _whole(lambda text, ending=ending: _in_a_case(text, ending))  # type: ignore[misc]
    for ending in ("a", "em", "owi", "um")
}
OTHER_WORDS: Final[Mapping[str, Change]] = {  # made of the parts, as other languages and families make them
    "diminutives": _written("{f}chen {l}lein"),
    "patronymics": _written("{f}ette {l}sson"),
    "place_names": _written("{f}ina {l}burg"),
    "plural": _written("the {l}s"),
}
NAME_CHANGES: Final[Mapping[str, Change]] = {**ORDER, **BETWEEN, **AROUND, **LETTERS, **CODED, **CASES, **OTHER_WORDS}


def changed_name(kind: str, name: str, rng: random.Random) -> str | None:
    """The name in another spelling; None where this kind of change leaves it as it is or does not apply."""
    written = NAME_CHANGES[kind](NameParts.of(name), rng)
    return written if written is not None and written != name else None
