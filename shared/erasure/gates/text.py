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
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

import torch
from torch import Tensor

from shared.erasure.gates.text_evidence import FEWEST_LETTERS, GAP, TITLES, Hit, TextEvidence, weigh
from shared.text.canonical import Word, renderings
from shared.text.ciphers import disguises
from shared.text.encodings import decoded, joined
from shared.text.values import MOST_WORDS, is_identifying, runs, text_keys, value_keys

KEY_BYTES: Final = 32
NO_KEY: Final = bytes(KEY_BYTES)  # for measurements without a key ring
FEWEST_TOGETHER: Final = 6  # letters of a name that is put together of what stands apart
BEGUN: Final = 3  # letters of a last name that is written by ear
FUZZY: Final = 5  # letters from which a part of a name is recognised with one slip
LONGEST_ENDING: Final = 3  # letters of a case: "Michaelowi"
LONGEST_WORD: Final = 32  # letters of a part of a name that is recognised with a slip
TEXT_TENSORS: Final = ("text.hash", "text.kind", "text.group", "text.part", "text.key")
PARTICLES: Final = frozenset({
    "von", "van", "de", "der", "den", "del", "della", "di", "da", "do", "dos", "das", "du", "la", "le", "el", "al",
    "bin", "ibn", "ben", "of", "the", "zu", "y", "e", "i", "und", "and", "jr", "sr", "ii", "iii",
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
                    in_order = core[turned:] + core[:turned]
                    for written in ("".join(in_order), *sorted(disguises(in_order))):
                        add(f"c {written}", Kind.WHOLE, group)
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
        """What `text` says of each ticket of which it says anything, by the ticket's number.

        In an encoding it says the same; of words that are taken apart or mixed with signs and digits only whole names
        count.
        """
        evidence = self._read_as_written(text)
        for whole in decoded(text):
            for ticket, seen in self._read_as_written(whole.text).items():
                evidence.setdefault(ticket, TextEvidence()).add(seen.moved(whole.source))
        for part in joined(text):
            for ticket, spans in self._whole_names(part.text).items():
                evidence.setdefault(ticket, TextEvidence()).named.extend(part.source(*span) for span in spans)
        return evidence

    def _whole_names(self, text: str) -> dict[int, list[tuple[int, int]]]:
        """The places of whole names, written as one word or in pieces, by the number of the ticket."""
        found: dict[int, list[tuple[int, int]]] = {}
        for words in renderings(text):
            for start, end, compact in runs([word.text for word in words], GAP):
                if len(compact) < FEWEST_TOGETHER:
                    continue
                for key, table in self.tables.items():
                    for ticket, entry in table.get(fingerprint(f"c {compact}", key), ()):
                        if entry.kind is Kind.WHOLE:
                            found.setdefault(ticket, []).append((words[start].start, words[end - 1].end))
        return found

    def _read_as_written(self, text: str) -> dict[int, TextEvidence]:
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
        hits: dict[int, dict[int, list[Hit]]] = {}  # by ticket and name
        for place, word in enumerate(words):
            for ticket, entry in table.get(fingerprint(f"p {word.text}", key), ()):
                hits.setdefault(ticket, {}).setdefault(entry.group, []).append(Hit(place, entry.part, exact=True))
            for slip in _slips(word.text):
                for ticket, entry in table.get(fingerprint(f"s {slip}", key), ()):
                    hits.setdefault(ticket, {}).setdefault(entry.group, []).append(Hit(place, entry.part, exact=False))
        for start, end, compact in runs([word.text for word in words], GAP):
            for ticket, entry in table.get(fingerprint(f"c {compact}", key), ()):
                seen = evidence.setdefault(ticket, TextEvidence())
                span = (words[start].start, words[end - 1].end)
                if entry.kind is Kind.WHOLE:
                    seen.named.append(span)
                else:
                    seen.hinted.append(span)
                    seen.weakly = True
        self._read_pairs(key, table, words, evidence)
        lower = not any(word.capital and not word.opens for word in words)
        for ticket, names in hits.items():
            seen = evidence.setdefault(ticket, TextEvidence())
            for group, found in names.items():
                weigh(seen, group, found, words, text, lower=lower)

    @staticmethod
    def _read_pairs(
        key: bytes,
        table: Mapping[int, Sequence[tuple[int, Entry]]],
        words: Sequence[Word],
        evidence: dict[int, TextEvidence],
    ) -> None:
        """Two words side by side that are a name in another form: neither of them has to be written as it is."""
        declined = [_declined(table, key, word.text) for word in words]
        for place, (first, last) in enumerate(pairwise(words)):
            begun = (
                f"f {first.text[:FEWEST_LETTERS]} {last.text}",  # Kate Winter, for Katherine Winter
                f"l {first.text} {last.text[:BEGUN]}",  # Katherine Wintter: written by ear
            )
            meant = {ticket for pair in begun for ticket, _ in table.get(fingerprint(pair, key), ())}
            for ticket, group, part in declined[place]:
                if any((ticket, group) == other[:2] and part != other[2] for other in declined[place + 1]):
                    meant.add(ticket)
            for ticket in sorted(meant):
                seen = evidence.setdefault(ticket, TextEvidence())
                seen.hinted.append((first.start, last.end))
                seen.weakly = True


def _declined(table: Mapping[int, Sequence[tuple[int, Entry]]], key: bytes, word: str) -> set[tuple[int, int, int]]:
    """The tickets, names and parts of which a word may be a form in another case, or one with a slip: "Michaelem"."""
    if len(word) < FUZZY:
        return set()
    stems = dict.fromkeys((*_slips(word), *(word[:-cut] for cut in range(1, LONGEST_ENDING + 1))))
    return {
        (ticket, entry.group, entry.part)
        for stem in stems
        if len(stem) >= FUZZY - 1
        for kind in ("p", "s")
        for ticket, entry in table.get(fingerprint(f"{kind} {stem}", key), ())
    }


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
