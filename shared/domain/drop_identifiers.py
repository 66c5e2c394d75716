"""How California's DROP writes and hashes the identifiers of a person (Delete Request and Opt-out Platform).

A data broker downloads lists of hashes and hashes its own records in the same way: each identifier is brought into one
standard form, and its hash is SHA-256 of the UTF-8 text, in base64. Where a list combines several (NDZ, NameVIN), the
hashes of the parts are written one after another and hashed again.

Sources: California Civil Code, section 1798.99.86; 11 CCR 7600 to 7616; CalPrivacy, "Working with the data" of the
technical specifications, version 1.2.0, whose examples are in the tests. The specification says that Latin, Greek and
Cyrillic letters become ASCII and gives no complete table: rare letters may come out in another way there.
"""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from itertools import product
from typing import Final, Literal

from anyascii import anyascii

from shared.errors import BadInput

ListType = Literal["NDZ", "Email", "Phone", "MAID", "NameVIN", "CTVID"]
Identifier = Literal["email", "phone", "first_name", "last_name", "date_of_birth", "zip", "maid", "vin", "ctvid"]

MOST_HASHES: Final = 10_000  # of one person: names, dates and postal codes are combined in every way
_ALPHABETS: Final = ("LATIN", "GREEK", "CYRILLIC")  # the others stay as they are written
_LETTERS: Final = {"ё": "yo", "ŋ": "n"}  # where the specification differs from the table of `anyascii`
_ZIP_PLUS_4: Final = re.compile(r"\s*(\d+)\s*-\s*\d{4}\s*", re.ASCII)
_DATE: Final = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})", re.ASCII)


def hash_text(text: str) -> str:
    """SHA-256 of `text`, in base64: 44 characters."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def standard_email(text: str) -> str:
    """Without blanks, in lower case; dots and plus signs stay."""
    return "".join(text.split()).lower()


def standard_phone(text: str) -> str:
    """The last ten digits, or all of them where there are fewer."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if c in "0123456789")[-10:]


def standard_name(text: str) -> str:
    """Letters and digits in lower case, Latin, Greek and Cyrillic ones in ASCII."""
    plain = unicodedata.normalize("NFKC", text).lower()
    letters = "".join(_in_ascii(character) for character in unicodedata.normalize("NFC", plain))
    return "".join(character for character in letters if character.isalnum()).lower()


def standard_date(text: str) -> str:
    """YYYYMMDD of a day that is written with the year first; "" for anything else."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return ""
    try:
        return date(*map(int, match.groups())).strftime("%Y%m%d").zfill(8)
    except ValueError:
        return ""


def standard_zip(text: str) -> str:
    """Five letters and digits at most, without leading zeros and without the last four of ZIP+4."""
    plus_4 = _ZIP_PLUS_4.fullmatch(text)
    return _alphanumeric(plus_4.group(1) if plus_4 else text).lstrip("0")[:5]


def standard_maid(text: str) -> str:
    """The 32 hexadecimal digits of a mobile advertising identifier; "" where it does not have so many."""
    digits = "".join(c for c in text.lower() if c in "0123456789abcdef")
    return digits if len(digits) == 32 else ""


def standard_vin(text: str) -> str:
    """The 17 characters of a vehicle identification number; "" where it does not have so many."""
    return _of_length(text, 17, 17)


def standard_ctvid(text: str) -> str:
    """The 8 to 32 characters of an identifier of a connected television; "" where it does not have so many."""
    return _of_length(text, 8, 32)


STANDARD_FORMS: Final[Mapping[Identifier, Callable[[str], str]]] = {
    "email": standard_email,
    "phone": standard_phone,
    "first_name": standard_name,
    "last_name": standard_name,
    "date_of_birth": standard_date,
    "zip": standard_zip,
    "maid": standard_maid,
    "vin": standard_vin,
    "ctvid": standard_ctvid,
}
SINGLE: Final[Mapping[ListType, Identifier]] = {"Email": "email", "Phone": "phone", "MAID": "maid", "CTVID": "ctvid"}


def check_identifier(kind: Identifier, text: str) -> str:
    """The standard form of an identifier. Raises BadInput, which does not repeat it, where it has none."""
    standard = STANDARD_FORMS[kind](text)
    if not standard:
        raise BadInput(f"identifiers.{kind}: it is not one that can be hashed.")
    return standard


def hashes_of(identifiers: Mapping[Identifier, Sequence[str]], names: Iterable[str] = ()) -> dict[ListType, set[str]]:
    """By which lists a person is found, and under which hashes.

    First and last names that are not given are taken from the full `names`, which are divided at each blank in turn.

    Raises BadInput for an identifier that has no standard form, or for too many combinations.
    """
    standard = {kind: {check_identifier(kind, text) for text in texts} for kind, texts in identifiers.items()}
    hashed = {kind: {hash_text(text) for text in texts} for kind, texts in standard.items()}
    found: dict[ListType, set[str]] = {
        kind: hashed[identifier] for kind, identifier in SINGLE.items() if hashed.get(identifier)
    }
    pairs = _name_pairs(hashed, names)
    days_and_places = set(product(hashed.get("date_of_birth", ()), hashed.get("zip", ())))
    vins = hashed.get("vin", set())
    if len(pairs) * max(len(days_and_places), len(vins)) > MOST_HASHES:
        raise BadInput(f"identifiers: they can be combined in more than {MOST_HASHES} ways.")
    if pairs and days_and_places:
        found["NDZ"] = {
            hash_text(first + last + day + place) for (first, last), (day, place) in product(pairs, days_and_places)
        }
    if pairs and vins:
        found["NameVIN"] = {hash_text(first + last + vin) for (first, last), vin in product(pairs, vins)}
    return found


def _name_pairs(hashed: Mapping[Identifier, set[str]], names: Iterable[str]) -> set[tuple[str, str]]:
    """The hashes of first and last names that belong together."""
    given = set(product(hashed.get("first_name", ()), hashed.get("last_name", ())))
    if given:
        return given
    divided = set()
    for name in names:
        words = [word for word in name.split() if standard_name(word)]
        parts = [(words[:place], words[place:]) for place in range(1, len(words))]
        for first, last in [*parts, (words[:1], words[-1:])] if parts else []:
            divided.add((hash_text(standard_name("".join(first))), hash_text(standard_name("".join(last)))))
    return divided


def _in_ascii(character: str) -> str:
    if character in _LETTERS:
        return _LETTERS[character]
    return anyascii(character) if unicodedata.name(character, "").startswith(_ALPHABETS) else character


def _alphanumeric(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).lower() if c.isascii() and c.isalnum())


def _of_length(text: str, least: int, most: int) -> str:
    characters = _alphanumeric(text)
    return characters if least <= len(characters) <= most else ""
