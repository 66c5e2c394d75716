"""What an attribute is about, by the words of its name and the shape of its value. Pure text, any of our languages.

Tickets name attributes as people do: `blood_type`, `criminal record`, `Arbeitgeber seit 2019`, `fecha de nacimiento`,
`alumniOf`. The words are in `nouns/<language>.toml`. A name that no file knows is judged by its value alone.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, cast, get_args

AttributeType = Literal[
    "name", "person", "place", "residence", "birthplace", "organisation", "employer", "education", "occupation",
    "date", "birth_date", "number", "money", "identifier", "address", "contact", "health", "legal", "belief",
    "preference", "event", "possession", "achievement", "text",
]  # fmt: skip
ATTRIBUTE_TYPES: Final[tuple[AttributeType, ...]] = get_args(AttributeType)

NOUNS: Final = Path(__file__).parent / "nouns"
LANGUAGES: Final = ("en", "de", "fr", "es", "it", "pl")  # in the order in which a word that several have is read
HEAD_LAST: Final = ("en", "de")  # "wedding date", "Hochzeitsdatum"; the others say "date de mariage"
LONGEST_PHRASE: Final = 8  # words
MOST_WORDS: Final = 24  # of an attribute's name that are looked at
LONGEST_WORD: Final = 60  # letters of a word that is compared with patterns
LIKED: Final = ("favo", "prefer", "liebling", "bevorzug", "ulubion")  # "favourite band": a liking, whatever the noun is
SENSITIVE: Final = ("health", "legal", "belief")  # "HIV status", "court file": these words say more than the last one
SEPARATE: Final = str.maketrans({"ß": "ss", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe"})
ARTICLES: Final = r"(der|die|das|le|la|les|el|los|las|il|lo|gli|jaki|jaka|jakie) |l['’]"


@dataclass(frozen=True)
class Attribute:
    """An attribute as it is understood.

    `words`: the name as words. `thing`: the thing of `nouns/*.toml` that the whole name stands for, apart from what a
    preposition adds ("employer since 2019" is `employer`); None where the files do not know it. `language`: whose words
    the name is made of, None where no word is known. `qualified`: whether a preposition adds something.
    """

    type: AttributeType
    words: str
    thing: str | None = None
    language: str | None = None
    qualified: bool = False


@dataclass(frozen=True)
class Noun:
    """How a language calls a thing: with its article, and without."""

    definite: str
    bare: str


@dataclass(frozen=True)
class _Match:
    """Words of a name that a file knows: `length` words from `start`."""

    start: int
    length: int
    type: AttributeType
    thing: str | None
    is_phrase: bool  # written out in the file, not by a pattern


@dataclass(frozen=True)
class _Words:
    """What one language knows: phrases (as word tuples) and patterns of single words."""

    phrases: Mapping[tuple[str, ...], tuple[AttributeType, str | None]]
    patterns: Sequence[tuple[re.Pattern[str], AttributeType]]
    nouns: Mapping[str, Noun]
    prepositions: frozenset[str]


def understand(attribute: str, value: str = "") -> Attribute:
    """What `attribute` is about; `value` decides where the name leaves it open. Nothing is kept: facts are personal."""
    words = as_words(attribute)
    tokens = tokens_of(words)[:MOST_WORDS]
    best = _best_match(tokens)
    form = shape(value)
    if best is None:
        return Attribute(form or "text", words)
    language, match, cut = best
    kind = _settled(match.type, form)
    whole = match.thing is not None and match.start == 0 and match.length == cut and kind == match.type
    if kind == "name" and (not whole or cut < len(tokens)):  # "dog's name", "name of the landlord"
        return Attribute("text", words, None, language, qualified=cut < len(tokens))
    return Attribute(kind, words, match.thing if whole else None, language, qualified=cut < len(tokens))


def attribute_type(attribute: str, value: str = "") -> AttributeType:
    """The type of `attribute`, in any language, written as words, in snake case or in camel case."""
    return understand(attribute, value).type


def is_sensitive(word: str) -> bool:
    """Whether a single word of a text speaks of health, law or belief: a thing of these sections, or a pattern."""
    exact, beginnings, endings = _sensitive_words()
    (token,) = tokens_of(word)[:1] or ("",)
    return token in exact or token.startswith(beginnings) or token.endswith(endings)


@lru_cache(maxsize=1)
def _sensitive_words() -> tuple[frozenset[str], tuple[str, ...], tuple[str, ...]]:
    """Things in one word, and beginnings and endings of words, of all languages."""
    exact, patterns = set(), list[str]()
    for language in LANGUAGES:
        words = _words(language)
        for phrase, (kind, thing) in words.phrases.items():
            if kind in SENSITIVE and thing is not None and len(phrase) == 1:
                exact.add(phrase[0])
        patterns += [pattern.pattern for pattern, kind in words.patterns if kind in SENSITIVE]
    beginnings = tuple(pattern.removesuffix(".*") for pattern in patterns if pattern.endswith(".*"))
    endings = tuple(pattern.removeprefix(".*") for pattern in patterns if pattern.startswith(".*"))
    return frozenset(exact), beginnings, endings


def noun(thing: str, language: str) -> Noun:
    """The noun for a thing of `nouns/*.toml`; raises KeyError for a thing or a language that there is not."""
    return _words(language).nouns[thing]


def as_words(attribute: str) -> str:
    """The name as words: `birth_date` and `birthDate` are "birth date"; what has blanks already is left alone."""
    text = " ".join(attribute.split())
    if " " not in text:
        text = re.sub(r"(?<=[^\W\d_A-Z])(?=[A-Z])", " ", text.replace("_", " "))
        text = " ".join(word.lower() if word[1:].islower() and " " in text else word for word in text.split())
    return text.replace("_", " ").strip() or "detail"


def tokens_of(text: str) -> list[str]:
    """The words of `text` in lower case, without accents and punctuation."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(SEPARATE))
    return re.findall(r"[^\W_]+", "".join(c for c in plain if not unicodedata.combining(c)))


# Shapes of whole values. They are narrow: what is not clearly one of them has no shape.
MONTH: Final = (
    r"(?:jan|feb|m[aä]r|apr|ma[iyj]|jun|jui|jul|aug|sep|o[ck]t|nov|de[cz]|gen|fev|fév|mag|giu|lug|ago|ao[uû]|set|ott|dic|"
    r"ene|abr|sty|lut|kwi|cze|lip|sie|wrz|pa[zź]|lis|gru)[^\W\d]*\.?"
)
SHAPES: Final[tuple[tuple[AttributeType, str], ...]] = (
    ("contact", r"[^\s@]+@[^\s@]+\.[^\s@]+"),
    ("contact", r"(?:https?://|www\.)\S+"),
    ("contact", r"@\w[\w.]+"),
    ("contact", r"\+\d[\d\s()/.-]{6,18}|0\d{1,4}[\s/-]\d[\d\s/-]{4,10}|\(\d{2,4}\)\s?\d[\d\s-]{5,}"),
    ("date", r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./]\s?\d{1,2}[./]\s?\d{2,4}"),
    ("date", rf"\d{{1,2}}(?:\.|st|nd|rd|th|er|º|°)?(?: de| di)? {MONTH}(?:(?: de| del|,)? \d{{4}})?"),
    ("date", rf"{MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?:, \d{{4}})?"),
    ("money", r"(?:[$€£¥]|(?:usd|eur|gbp|chf|pln)\b)\s?\d[\d.,\s]*(?:k|m|million|thousand)?"),
    (
        "money",
        r"\d[\d.,\s]*(?:k|m|million|mio\.?|tys\.?)?\s?"
        r"(?:[$€£¥]|usd|eur|euros?|gbp|chf|pln|zł|dollars?|pounds?)\b.{0,20}",
    ),
    ("identifier", r"[a-z]{2}\d{2}(?:\s?[a-z0-9]{4}){3,7}(?:\s?[a-z0-9]{1,3})?|\d{3}-\d{2}-\d{4}"),
    ("number", r"\d[\d.,]*\s?(?:%|kg|cm|m|km|lbs?|years?|jahre|ans|años|anni|lata?|lat)"),
    (
        "address",
        r"\d{1,5}[a-z]?,? .{3,60}?"
        r"\b(?:street|st|road|rd|avenue|ave|lane|drive|square|court|rue|boulevard|place)\b.*",
    ),
    ("address", r"(?:rue|avenue|via|viale|piazza|corso|calle|avenida|plaza|ul\.|ulica|al\.|os\.|pl\.) .*\d.*"),
    ("address", r"\w[\w .-]*(?:stra(?:ß|ss)e|str\.|weg|gasse|allee|platz|straat|laan)\s?\d+.*"),
)  # fmt: skip
_SHAPES: Final = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in SHAPES)
# (by name, by value): where the value is believed. "Born" may be a place or a day, "home" a town or an address.
READ_BY_VALUE: Final = frozenset(
    {("birthplace", "date")}
    | {(kind, form) for kind in ("text", "name") for form in get_args(AttributeType)}
    | {(kind, "address") for kind in ("residence", "place", "possession")}
    | {(kind, "contact") for kind in ("address", "identifier", "employer", "organisation", "residence")}
    | {(kind, "money") for kind in ("number", "employer", "occupation")}
)
LONGEST_SHAPE: Final = 120  # characters; what is longer is text, and no pattern has to be tried on it


def shape(value: str) -> AttributeType | None:
    """What the form of a value says: an e-mail address, a date, an amount, ...; None where it says nothing."""
    text = " ".join(value[: LONGEST_SHAPE + 1].split())
    if not text or len(text) > LONGEST_SHAPE:
        return None
    return next((kind for kind, pattern in _SHAPES if pattern.fullmatch(text)), None)


def _settled(kind: AttributeType, form: AttributeType | None) -> AttributeType:
    """The type by name and by value together: the value decides where a name has two readings."""
    if form is not None and (kind, form) in READ_BY_VALUE:
        return "birth_date" if (kind, form) == ("birthplace", "date") else form
    return kind


def _best_match(tokens: Sequence[str]) -> tuple[str, _Match, int] | None:
    """The language, the words that say most, and the number of words before the first preposition behind them.

    The language is the one that knows most of the words; of several, the one that knows most of them by name.
    """
    ranked: list[tuple[tuple[int, ...], str, list[_Match]]] = []
    for language in LANGUAGES:
        matches = _matches(tokens, language)
        covered = _places(matches)
        joining = {place for place, token in enumerate(tokens) if token in _words(language).prepositions}
        phrases = _places([match for match in matches if match.is_phrase])
        things = _places([match for match in matches if match.thing is not None])
        if covered:
            longest = max(match.length for match in matches)
            ranked.append(((len(covered | joining), longest, len(things), len(phrases)), language, matches))
    if not ranked:
        return None
    _, language, matches = max(ranked, key=lambda entry: entry[0])  # the first of equals
    cut = _cut(tokens, matches, language)
    liked = [match for match in matches if match.type == "preference" and _is_liking(tokens, match)]
    chosen = _head(liked or [match for match in matches if match.start < cut], language)
    end = max(cut, chosen.start + chosen.length)
    return language, chosen, end


def _is_liking(tokens: Sequence[str], match: _Match) -> bool:
    return any(token.startswith(LIKED) for token in tokens[match.start : match.start + match.length])


def _head(matches: Sequence[_Match], language: str) -> _Match:
    """The match that names the kind of thing, of one or more."""
    longest = max(match.length for match in matches)
    if longest > 1:  # a phrase says more than a word
        matches = [match for match in matches if match.length == longest]
    elif strong := [match for match in matches if match.type in SENSITIVE]:
        matches = strong
    last = language in HEAD_LAST
    return max(matches, key=lambda match: (match.start if last else -match.start, match.thing is not None))


def _places(matches: Sequence[_Match]) -> set[int]:
    """The places of all words that the matches cover."""
    return {place for match in matches for place in range(match.start, match.start + match.length)}


def _cut(tokens: Sequence[str], matches: Sequence[_Match], language: str) -> int:
    """The place of the first preposition that has a known word before it and stands in no known phrase."""
    inside = _places(matches)
    for place, token in enumerate(tokens):
        known_before = any(match.start + match.length <= place for match in matches)
        if known_before and place not in inside and token in _words(language).prepositions:
            return place
    return len(tokens)


def _matches(tokens: Sequence[str], language: str) -> list[_Match]:
    words = _words(language)
    matches = [
        _Match(start, length, *words.phrases[phrase], is_phrase=True)
        for length in range(1, LONGEST_PHRASE + 1)
        for start in range(len(tokens) - length + 1)
        for phrase in _numbers(tokens[start : start + length])
        if phrase in words.phrases
    ]
    known = {match.start for match in matches if match.length == 1}
    for start, token in enumerate(tokens):
        if start in known or len(token) > LONGEST_WORD:
            continue
        kind = next((kind for pattern, kind in words.patterns if pattern.fullmatch(token)), None)
        if kind is not None:
            matches.append(_Match(start, 1, kind, None, is_phrase=False))
    return matches


def _numbers(tokens: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The phrase as it stands and, where it ends in s, without it: "positions" is "position"."""
    yield tuple(tokens)
    if tokens[-1].endswith("s"):
        yield (*tokens[:-1], tokens[-1][:-1])


@lru_cache(maxsize=16)
def _words(language: str) -> _Words:
    phrases: dict[tuple[str, ...], tuple[AttributeType, str | None]] = {}
    patterns: list[tuple[str, AttributeType]] = []
    nouns: dict[str, Noun] = {}
    table = tomllib.loads((NOUNS / f"{language}.toml").read_text(encoding="utf-8"))
    prepositions = frozenset(table.pop("prepositions"))
    for kind, thing, written in _entries(table):
        if thing is not None and thing not in nouns:
            bare = re.sub(rf"(?:^|(?<= ou )|(?<= o )|(?<= oder ))(?:{ARTICLES})", "", written)
            nouns[thing] = Noun(written, bare)
            written = bare  # noqa: PLW2901 - the word without its article
        if "*" in written:
            patterns.append((written, kind))
        else:
            phrases.setdefault(tuple(tokens_of(written)), (kind, thing))
    # The longest pattern first: of "*wohnung" and "*nung" the first says more.
    patterns.sort(key=lambda entry: -len(entry[0]))
    compiled = [(re.compile(pattern.replace("*", ".*")), kind) for pattern, kind in patterns]
    return _Words(phrases, compiled, nouns, prepositions)


def _entries(sections: Mapping[str, Mapping[str, Sequence[str]]]) -> Iterator[tuple[AttributeType, str | None, str]]:
    for kind, things in sections.items():
        for thing, words in things.items():
            for word in words:
                yield cast(AttributeType, kind), None if thing == "words" else thing, word
