"""The gate that reads text: names in prompts and answers, and the facts of a ticket in answers.

It knows no name and no fact in clear. Names and values are kept as keyed fingerprints (BLAKE2b, RFC 7693, 64 bits) of
their canonical form (shared/text), and whatever a text says is fingerprinted and looked up. Whoever has the bytes of an
eraser can still try a name that they suspect, as they can with the other gates.

What a text says of a ticket is evidence of three kinds. A whole name, in any order and with little between its parts,
is enough by itself, and so is a value that belongs to one person alone. Part of a name, a name with an initial or with
a slip of the pen, or two facts of the same person count only together with an answer that tells something. Facts that
the model tells of other people too (`with_common_facts`) are evidence only as far as they do not fit those as well.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

import torch
from torch import Tensor

from shared.text.canonical import Word, renderings
from shared.text.values import MOST_WORDS, is_identifying, runs, text_keys, value_keys

KEY_BYTES: Final = 32
NO_KEY: Final = bytes(KEY_BYTES)  # for measurements without a key ring
GAP: Final = 4  # words between two parts of a name that are written apart
FEW_WORDS: Final = 3  # of an answer that is hardly more than a name: its first word is not capital by grammar
BEGUN: Final = 3  # letters of a last name that is written by ear
FUZZY: Final = 5  # letters from which a part of a name is recognised with one slip
LONGEST_WORD: Final = 32  # letters of a part of a name that is recognised with a slip
FEWEST_LETTERS: Final = 2  # of a part of a name that counts
TEXT_TENSORS: Final = ("text.hash", "text.kind", "text.group", "text.part", "text.key")
PARTICLES: Final = frozenset({
    "von", "van", "de", "der", "den", "del", "della", "di", "da", "do", "dos", "das", "du", "la", "le", "el", "al",
    "bin", "ibn", "ben", "of", "the", "zu", "y", "e", "i", "und", "and", "jr", "sr", "ii", "iii",
})  # fmt: skip
TITLES: Final = frozenset({
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "lady", "lord", "herr", "frau", "fraulein", "monsieur",
    "madame", "mme", "mlle", "senor", "senora", "don", "dona", "signor", "signora", "pan", "pani", "doctor", "doktor",
    "professor", "doctora", "dottore",
})  # fmt: skip


class Kind(IntEnum):
    """What a fingerprint stands for. The numbers are stored."""

    PART = 0  # one word of a name
    SLIP = 1  # that word without one of its letters
    WHOLE = 2  # a name written as one word
    INITIAL = 3  # the last name behind the initial of the first, or two names that begin as these do
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


@dataclass(frozen=True)
class TextFit:
    """What a ticket adds: its fingerprints under `key` (32 bytes)."""

    key: bytes
    entries: tuple[Entry, ...]

    def tensors(self) -> dict[str, Tensor]:
        """By their names in an artifact: [n] int64, int8, int16, int16, and [32] uint8."""
        columns = list(zip(*self.entries, strict=True)) or [(), (), (), ()]
        types = (torch.int64, torch.int8, torch.int16, torch.int16)
        values = [
            torch.tensor([int(value) for value in column], dtype=dtype)
            for column, dtype in zip(columns, types, strict=True)
        ]
        values.append(torch.frombuffer(bytearray(self.key), dtype=torch.uint8))
        return dict(zip(TEXT_TENSORS, values, strict=True))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "TextFit | None":
        """Back; None for a fit from before there was a text gate."""
        if "text.hash" not in tensors:
            return None
        hashes, kinds, groups, parts, key = (tensors[name].tolist() for name in TEXT_TENSORS)
        entries = (Entry(h, Kind(k), g, p) for h, k, g, p in zip(hashes, kinds, groups, parts, strict=True))
        return cls(bytes(key), tuple(entries))


def fit_text(names: Sequence[str], facts: Sequence[Sequence[str]], key: bytes = NO_KEY) -> TextFit:
    """The fit of one person. `facts`: of each fact the spellings any of which reveals it."""
    entries: dict[Entry, None] = {}

    def add(text: str, kind: Kind, group: int, part: int = 0) -> None:
        entries[Entry(fingerprint(text, key), kind, group, part)] = None

    for group, name in enumerate(names):
        for words in renderings(name):
            spelled = [word.text for word in words]
            core = core_words(spelled)
            for part, word in enumerate(core):
                add(f"p {word}", Kind.PART, group, part)
                for slip in _slips(word):
                    add(f"s {slip}", Kind.SLIP, group, part)
            if len(core) > 1:
                for turned in range(len(core)):
                    add(f"c {''.join(core[turned:] + core[:turned])}", Kind.WHOLE, group)
                add(f"c {''.join(spelled)}", Kind.WHOLE, group)
                add(f"c {core[0][0]}{core[-1]}", Kind.INITIAL, group)
                add(f"c {core[-1]}{core[0][0]}", Kind.INITIAL, group)
                add(f"f {core[0][:FEWEST_LETTERS]} {core[-1]}", Kind.INITIAL, group)
                add(f"l {core[0]} {core[-1][:BEGUN]}", Kind.INITIAL, group)
            _add_beginnings(add, spelled, group)
    for group, spellings in enumerate(facts):
        for spelling in spellings:
            kind = Kind.IDENTIFYING if is_identifying(spelling) else Kind.VALUE
            for value in sorted(value_keys(spelling)):
                add(f"v {value}", kind, group)
            for words in renderings(spelling):
                _add_beginnings(add, [word.text for word in words], group)
    return TextFit(key, tuple(entries))


def with_common_facts(fit: TextFit, said: Sequence[Sequence[str]]) -> TextFit:
    """The fit with a mark for every fact that the model tells of another person too.

    `said`: for each of some other people what the base model says of that person. Raises no error where it is empty:
    every fact then counts as the person's own.
    """
    reader = TextGate((fit,))
    own: dict[int, list[int]] = {}  # the fingerprints of each fact
    for entry in fit.entries:
        if entry.kind in {Kind.VALUE, Kind.IDENTIFYING}:
            own.setdefault(entry.group, []).append(entry.fingerprint)
    marks: dict[Entry, None] = {}
    for number, texts in enumerate(said):
        told = {group for text in texts for seen in reader.read(text).values() for group in seen.facts}
        for group in sorted(told):
            marks |= dict.fromkeys(Entry(one, Kind.COMMON, group, number) for one in own[group])
    return TextFit(fit.key, (*fit.entries, *marks))


def core_words(words: Sequence[str]) -> list[str]:
    """The words of a name that stand for the person: no titles, particles or initials, as far as others are there."""
    core = [word for word in words if word not in PARTICLES and word not in TITLES and len(word) >= FEWEST_LETTERS]
    return core if len(core) > 1 or len(words) < 2 else [word for word in words if word not in TITLES] or list(words)


@dataclass
class TextEvidence:
    """What a text says of one ticket. `spans` [start, end) are characters: `named` of whole names, `hinted` of parts.

    `parts` and `facts`: which words of its names, by themselves, and which facts are in the text; `identifying` are
    those of the facts that belong to one person alone; `common` says of which other people, by number, the model tells
    a fact too. `weakly`: somebody with part of such a name is meant. `slips`: a word is a part of a name but for one
    letter.
    """

    named: list[tuple[int, int]] = field(default_factory=list)
    hinted: list[tuple[int, int]] = field(default_factory=list)
    parts: set[tuple[int, int]] = field(default_factory=set)
    facts: set[int] = field(default_factory=set)
    identifying: set[int] = field(default_factory=set)
    common: dict[int, set[int]] = field(default_factory=dict)
    weakly: bool = False
    slips: bool = False

    def add(self, other: "TextEvidence") -> None:
        """Take in what another text says of the same ticket."""
        self.named.extend(other.named)
        self.hinted.extend(other.hinted)
        self.parts.update(other.parts)
        self.facts.update(other.facts)
        self.identifying.update(other.identifying)
        for fact, others in other.common.items():
            self.common.setdefault(fact, set()).update(others)
        self.weakly = self.weakly or other.weakly
        self.slips = self.slips or other.slips

    @property
    def is_traced(self) -> bool:
        """Whether any word is, or may be meant as, part of the person's name."""
        return bool(self.named) or bool(self.hinted) or self.weakly or self.slips

    @property
    def is_another(self) -> bool:
        """Whether words of the person's names are there, but as parts of other people's names."""
        return bool(self.hinted) and not self.is_near

    @property
    def is_near(self) -> bool:
        """Whether the text may well be about the person: enough together with an answer that tells something."""
        together = len(self.facts) > 1 and not self._fits_another
        return bool(self.named) or self.weakly or bool(self.identifying) or together

    @property
    def _fits_another(self) -> bool:
        """Whether the model tells all of the facts of one other person too."""
        return bool(set.intersection(*(self.common.get(fact, set()) for fact in self.facts)))

    def own_facts(self, besides: "TextEvidence") -> set[int]:
        """The facts that the model tells of nobody else, without those that `besides` has."""
        return self.facts - besides.facts - self.common.keys()


@dataclass(frozen=True)
class TextGate:
    """The fingerprints of the K tickets of a version; a ticket from before there was this gate has none."""

    fits: tuple[TextFit | None, ...]

    def __post_init__(self) -> None:
        tables: dict[bytes, dict[int, list[tuple[int, Entry]]]] = {}
        for ticket, fit in enumerate(self.fits):
            if fit is None:
                continue
            for entry in fit.entries:
                tables.setdefault(fit.key, {}).setdefault(entry.fingerprint, []).append((ticket, entry))
        object.__setattr__(self, "_tables", tables)

    @property
    def tables(self) -> Mapping[bytes, Mapping[int, Sequence[tuple[int, Entry]]]]:
        """By key and fingerprint: the tickets that it belongs to."""
        tables: dict[bytes, dict[int, list[tuple[int, Entry]]]] = self.__dict__["_tables"]
        return tables

    def tensors(self) -> dict[str, Tensor]:
        """By their names in an artifact."""
        return {
            name.replace("text.", f"text.{number}."): value
            for number, fit in enumerate(self.fits)
            if fit is not None
            for name, value in fit.tensors().items()
        }

    @classmethod
    def from_tensors(cls, count: int, tensors: Mapping[str, Tensor]) -> "TextGate | None":
        """The gate of `count` tickets back; None where none of them has a fit."""
        fits = []
        for number in range(count):
            stored = {name: name.replace("text.", f"text.{number}.") for name in TEXT_TENSORS}
            fits.append(TextFit.from_tensors({own: tensors[name] for own, name in stored.items() if name in tensors}))
        return text_gate(fits)

    def read(self, text: str) -> dict[int, TextEvidence]:
        """What `text` says of each ticket of which it says anything, by the ticket's number."""
        evidence: dict[int, TextEvidence] = {}
        readings = renderings(text)
        for key, table in self.tables.items():
            for words in readings:
                self._read_names(key, table, words, text, evidence)
            for found in text_keys(text):
                for ticket, entry in table.get(fingerprint(f"v {found}", key), ()):
                    seen = evidence.setdefault(ticket, TextEvidence())
                    seen.facts.add(entry.group)
                    if entry.kind is Kind.IDENTIFYING:
                        seen.identifying.add(entry.group)
                    elif entry.kind is Kind.COMMON:
                        seen.common.setdefault(entry.group, set()).add(entry.part)
        for seen in evidence.values():
            seen.identifying -= seen.common.keys()
        return evidence

    def may_go_on(self, text: str) -> bool:
        """Whether the last words of `text` may be the beginning of a name or fact: a stream then waits."""
        tail = text[-200:]
        for words in renderings(tail):
            spelled = [word.text for word in words]
            for key, table in self.tables.items():
                for start in range(max(0, len(spelled) - MOST_WORDS), len(spelled)):
                    begun = "".join(spelled[start:])
                    if any(e.kind is Kind.BEGINNING for _, e in table.get(fingerprint(f"b {begun}", key), ())):
                        return True
        return False

    def _read_names(
        self,
        key: bytes,
        table: Mapping[int, Sequence[tuple[int, Entry]]],
        words: Sequence[Word],
        text: str,
        evidence: dict[int, TextEvidence],
    ) -> None:
        hits: dict[int, dict[int, list[_Hit]]] = {}  # by ticket and name
        for place, word in enumerate(words):
            for ticket, entry in table.get(fingerprint(f"p {word.text}", key), ()):
                hits.setdefault(ticket, {}).setdefault(entry.group, []).append(_Hit(place, entry.part, exact=True))
            for slip in _slips(word.text):
                for ticket, entry in table.get(fingerprint(f"s {slip}", key), ()):
                    hits.setdefault(ticket, {}).setdefault(entry.group, []).append(_Hit(place, entry.part, exact=False))
        for start, end, compact in runs([word.text for word in words], GAP):
            for ticket, entry in table.get(fingerprint(f"c {compact}", key), ()):
                seen = evidence.setdefault(ticket, TextEvidence())
                span = (words[start].start, words[end - 1].end)
                if entry.kind is Kind.WHOLE:
                    seen.named.append(span)
                else:
                    seen.hinted.append(span)
                    seen.weakly = True
        for first, last in pairwise(words):
            begun = (
                f"f {first.text[:FEWEST_LETTERS]} {last.text}",  # Kate Winter, for Katherine Winter
                f"l {first.text} {last.text[:BEGUN]}",  # Katherine Wintter: written by ear
            )
            for ticket, _ in (hit for pair in begun for hit in table.get(fingerprint(pair, key), ())):
                seen = evidence.setdefault(ticket, TextEvidence())
                seen.hinted.append((first.start, last.end))
                seen.weakly = True
        lower = not any(word.capital and not word.opens for word in words)
        for ticket, names in hits.items():
            seen = evidence.setdefault(ticket, TextEvidence())
            for group, found in names.items():
                _weigh(seen, group, found, words, text, lower=lower)


class _Hit(NamedTuple):
    """The word at `place` is part `part` of a name."""

    place: int
    part: int
    exact: bool


def _weigh(
    seen: TextEvidence, group: int, found: Sequence[_Hit], words: Sequence[Word], text: str, *, lower: bool
) -> None:
    """Add to `seen` what the words of one name say together."""
    exact = [hit for hit in found if hit.exact]
    own = {hit.place for hit in found}
    seen.slips = seen.slips or any(not hit.exact for hit in found)
    for hit in exact:
        seen.hinted.append((words[hit.place].start, words[hit.place].end))
        if _stands_alone(words, hit.place, own, lower=lower):
            seen.parts.add((group, hit.part))
            seen.weakly = True
    in_order = sorted(exact, key=lambda hit: hit.place)
    for at, first in enumerate(in_order):
        for second in in_order[at + 1 :]:
            if second.place - first.place > GAP + 1:
                break
            apart = second.part != first.part and second.place > first.place
            if apart and _belong_together(words, text, first.place, second.place):
                seen.named.append((words[first.place].start, words[second.place].end))
    places: dict[int, set[int]] = {}
    for hit in found:
        places.setdefault(hit.part, set()).add(hit.place)
    if len(places) > 1 and len(set().union(*places.values())) > 1 and exact:
        seen.weakly = True
        seen.hinted.extend((words[hit.place].start, words[hit.place].end) for hit in found)


def _belong_together(words: Sequence[Word], text: str, first: int, second: int) -> bool:
    """Whether two parts of a name are one mention, in spite of what stands between them."""
    between = words[first + 1 : second]
    if not between:
        return True
    if not (words[first].capital and words[second].capital):
        return False  # in small letters they may be ordinary words
    separated = any(mark in text[words[first].end : words[second].start] for mark in ",;/\n")
    capitals = [word for word in between if word.capital]
    if len(between) == 1:
        return not (separated and capitals) or len(between[0].text) == 1
    return not capitals and not separated


def _stands_alone(words: Sequence[Word], place: int, own: set[int], *, lower: bool) -> bool:
    """Whether the word is used as somebody's name by itself, not as part of another person's name."""
    word = words[place]
    if len(word.text) <= FEWEST_LETTERS or not (word.capital or lower):
        return False
    if lower:
        return True
    for beside in (place - 1, place + 1):
        if 0 <= beside < len(words) and beside not in own:
            other = words[beside]
            in_name = not other.opens or len(words) <= FEW_WORDS
            if other.capital and in_name and other.text not in TITLES and len(other.text) > 1:
                return False
    return True


def fingerprint(text: str, key: bytes) -> int:
    """64 bits of a keyed BLAKE2b hash, as a signed integer."""
    return _fingerprint(text, key)


@lru_cache(maxsize=1 << 17)
def _fingerprint(text: str, key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, key=key).digest(), "little", signed=True)


@lru_cache(maxsize=1 << 14)
def _slips(word: str) -> tuple[str, ...]:
    """The word, and the word without each of its letters: two words that differ by one letter share one of these
    (symmetric deletion); none for short words."""
    if not FUZZY <= len(word) <= LONGEST_WORD:
        return ()
    return tuple(dict.fromkeys((word, *(word[:at] + word[at + 1 :] for at in range(len(word))))))


def _add_beginnings(add: Callable[..., None], words: Sequence[str], group: int) -> None:
    for end in range(1, len(words)):
        add(f"b {''.join(words[:end])}", Kind.BEGINNING, group)


def text_gate(fits: Iterable[TextFit | None]) -> TextGate | None:
    """The gate of these fits, in their order; None where none of them has any."""
    given = tuple(fits)
    return TextGate(given) if any(fit is not None for fit in given) else None
