"""The gate that reads text: names in prompts and answers, and the facts of a ticket in answers.

It knows no name and no fact in clear. Names and values are kept as keyed fingerprints (BLAKE2b, RFC 7693, 64 bits) of
their canonical form (shared/text), and whatever a text says is fingerprinted and looked up. Whoever has the bytes of an
eraser can still try a name that they suspect, as they can with the other gates.

What a text says of a ticket is evidence of three kinds. A whole name, in any order and with little between its parts,
is enough by itself, and so is a value that belongs to one person alone. Part of a name, a name with an initial or with
a slip of the pen, or two facts of the same person count only together with an answer that tells something. Facts that
the model tells of other people too (`with_common_facts`) are evidence only as far as they do not fit those as well.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor

from shared.erasure.gates.name_parts import (
    SHORT,
    Entry,
    Kind,
    Part,
    declined,
    fingerprint,
    lengthened,
    plural,
    short_with_a_slip,
    slips,
)
from shared.erasure.gates.text_evidence import FEWEST_LETTERS, GAP, Hit, TextEvidence, is_one_mention, weigh
from shared.text.canonical import TITLES, Word, renderings, windows
from shared.text.ciphers import disguises
from shared.text.encodings import decoded, joined
from shared.text.likeness import by_ear, deletions, inside, squeezed
from shared.text.values import DAY_KEY, MOST_WORDS, is_identifying, runs, text_keys, value_keys

KEY_BYTES: Final = 32
NO_KEY: Final = bytes(KEY_BYTES)  # for measurements without a key ring
FEWEST_TOGETHER: Final = 6  # letters of a name that is put together of what stands apart
TYPED: Final = 20  # words of a text without capitals in which any two may be a name by ear
BEGUN: Final = 3  # letters of a last name that is written by ear
TEXT_TENSORS: Final = ("text.hash", "text.kind", "text.group", "text.part", "text.key")
PARTICLES: Final = frozenset({
    "von", "van", "de", "der", "den", "del", "della", "di", "da", "do", "dos", "das", "du", "la", "le", "el", "al",
    "bin", "ibn", "ben", "of", "the", "zu", "y", "e", "i", "und", "and", "jr", "sr", "ii", "iii",
})  # fmt: skip


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


def fit_text(
    names: Sequence[str], facts: Sequence[Sequence[str]], key: bytes = NO_KEY, no_addresses: Collection[int] = ()
) -> TextFit:
    """The fit of one person. `facts`: of each fact the spellings any of which reveals it.

    `no_addresses`: the numbers of the facts that are no postal address although a number stands beside words in them.
    """
    entries: dict[Entry, None] = {}

    def add(text: str, kind: Kind, group: int, part: int = 0) -> None:
        entries[Entry(fingerprint(text, key), kind, group, part)] = None

    for group, name in enumerate(names):
        for words in renderings(name):
            spelled = [word.text for word in words]
            core = core_words(spelled)
            for part, word in enumerate(core):
                _add_part(add, word, group, part)
            if len(core) > 1:
                _add_whole(add, core, spelled, group)
            _add_beginnings(add, spelled, group)
    for group, spellings in enumerate(facts):
        for spelling in spellings:
            belongs = is_identifying(spelling, may_be_address=group not in no_addresses)
            kind = Kind.IDENTIFYING if belongs else Kind.VALUE
            for value in sorted(value_keys(spelling)):
                add(f"v {value}", kind, group)
            for words in renderings(spelling):
                _add_beginnings(add, [word.text for word in words], group)
    return TextFit(key, tuple(entries))


def _add_part(add: Callable[..., None], word: str, group: int, part: int) -> None:
    """One word of a name, also with a slip."""
    add(f"p {word}", Kind.PART, group, part)
    for slip in slips(word):
        add(f"s {slip}", Kind.SLIP, group, part)
    if len(word) == SHORT:
        for slip in deletions(word):
            add(f"t {slip}", Kind.SLIP, group, part)


def _add_whole(add: Callable[..., None], core: list[str], spelled: Sequence[str], group: int) -> None:
    """A name of several words, in any order and disguise, and what is like it."""
    for turned in range(len(core)):
        in_order = core[turned:] + core[:turned]
        for written in ("".join(in_order), *sorted(disguises(in_order))):
            add(f"c {written}", Kind.WHOLE, group)
    add(f"c {''.join(spelled)}", Kind.WHOLE, group)
    add(f"c {core[0][0]}{core[-1]}", Kind.INITIAL, group)
    add(f"c {core[-1]}{core[0][0]}", Kind.INITIAL, group)
    add(f"f {core[0][:FEWEST_LETTERS]} {core[-1]}", Kind.INITIAL, group)
    add(f"l {core[0]} {core[-1][:BEGUN]}", Kind.INITIAL, group)
    for written in ("".join(core), "".join((core[-1], *core[:-1]))):
        add(f"q {squeezed(written) or written}", Kind.INITIAL, group)
    if (heard := by_ear(core[0], core[-1])) is not None:
        add(f"h {heard}", Kind.INITIAL, group)


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
        last: dict[tuple[int, int], int] = {}
        for ticket, fit in enumerate(self.fits):
            if fit is None:
                continue
            for entry in fit.entries:
                tables.setdefault(fit.key, {}).setdefault(entry.fingerprint, []).append((ticket, entry))
                if entry.kind is Kind.PART:
                    last[ticket, entry.group] = max(entry.part, last.get((ticket, entry.group), 0))
        object.__setattr__(self, "_last_parts", last)
        object.__setattr__(self, "_tables", tables)

    @cached_property
    def without_fit(self) -> tuple[int, ...]:
        """The numbers of the tickets that have no fingerprints."""
        return tuple(number for number, fit in enumerate(self.fits) if fit is None)

    @property
    def tables(self) -> Mapping[bytes, Mapping[int, Sequence[tuple[int, Entry]]]]:
        """By key and fingerprint: the tickets that it belongs to."""
        tables: dict[bytes, dict[int, list[tuple[int, Entry]]]] = self.__dict__["_tables"]
        return tables

    @property
    def last_parts(self) -> Mapping[tuple[int, int], int]:
        """The number of the last part of each name, by ticket and name."""
        last: dict[tuple[int, int], int] = self.__dict__["_last_parts"]
        return last

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
        evidence: dict[int, TextEvidence] = {}
        for first, window in windows(text):
            for ticket, seen in self._read_window(window).items():
                moved = seen.moved(lambda start, end, by=first: (start + by, end + by))  # type: ignore[misc]
                evidence.setdefault(ticket, TextEvidence()).add(moved)
        return evidence

    def _read_window(self, text: str) -> dict[int, TextEvidence]:
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
                        if entry.kind is Kind.WHOLE and _is_whole(words, text, start, end):
                            found.setdefault(ticket, []).append((words[start].start, words[end - 1].end))
        return found

    def _read_as_written(self, text: str) -> dict[int, TextEvidence]:
        evidence: dict[int, TextEvidence] = {}
        readings = renderings(text)
        keys = text_keys(text, readings=readings)
        for key, table in self.tables.items():
            for words in readings:
                self._read_names(key, table, words, text, evidence)
            for found in keys:
                for ticket, entry in table.get(fingerprint(f"v {found}", key), ()):
                    seen = evidence.setdefault(ticket, TextEvidence())
                    seen.facts.add(entry.group)
                    if entry.kind is Kind.IDENTIFYING:
                        (seen.days if found.startswith(DAY_KEY) else seen.identifying).add(entry.group)
                    elif entry.kind is Kind.COMMON:
                        seen.common.setdefault(entry.group, set()).add(entry.part)
        for seen in evidence.values():
            seen.identifying -= seen.common.keys()
            seen.days -= seen.common.keys()
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
        places: dict[str, list[int]] = {}
        for place, word in enumerate(words):
            places.setdefault(word.text, []).append(place)
        hits: dict[int, dict[int, list[Hit]]] = {}  # by ticket and name
        known: list[set[Part]] = [set() for _ in words]
        for written, own in places.items():  # each word once
            alike = ((f"p {written}", True), *((f"s {slip}", False) for slip in slips(written)))
            for like, exact in alike:
                for ticket, entry in table.get(fingerprint(like, key), ()):
                    found = hits.setdefault(ticket, {}).setdefault(entry.group, [])
                    found += [Hit(place, entry.part, exact) for place in own]
            for ticket, entry in plural(table, key, written):
                found = hits.setdefault(ticket, {}).setdefault(entry.group, [])
                found += [Hit(place, entry.part, exact=False, plural=True) for place in own]
            for part in declined(table, key, written):
                for place in own:
                    known[place].add(part)
        self._read_runs(key, table, words, text, evidence)
        for ticket, names in hits.items():
            for group, found in names.items():
                for hit in found:
                    known[hit.place].add((ticket, group, hit.part))
        lower = not any(word.capital and not word.opens for word in words)
        self._read_pairs(key, table, words, known, evidence, lower=lower)
        for ticket, names in hits.items():
            seen = evidence.setdefault(ticket, TextEvidence())
            for group, found in names.items():
                weigh(seen, group, found, words, text, last=self.last_parts[ticket, group], lower=lower)

    @staticmethod
    def _read_runs(
        key: bytes,
        table: Mapping[int, Sequence[tuple[int, Entry]]],
        words: Sequence[Word],
        text: str,
        evidence: dict[int, TextEvidence],
    ) -> None:
        """Whole names that are written as one word or in pieces, and what is like them."""
        for start, end, compact in runs([word.text for word in words], GAP):
            for ticket, entry in table.get(fingerprint(f"c {compact}", key), ()):
                span = (words[start].start, words[end - 1].end)
                if entry.kind is Kind.WHOLE and _is_whole(words, text, start, end):
                    evidence.setdefault(ticket, TextEvidence()).named.append(span)
                elif entry.kind is Kind.WHOLE or end == start + 1 or min(len(w.text) for w in words[start:end]) == 1:
                    _mean(evidence, ticket, span)  # "to the" is not T. Othe
            alike = [f"c {part}" for part in inside(compact)] if end == start + 1 else []
            if (bare := squeezed(compact)) is not None:
                alike.append(f"q {bare}")
            if not alike:
                continue
            meant = {ticket for each in alike for ticket, _ in table.get(fingerprint(each, key), ())}
            for ticket in sorted(meant):
                _mean(evidence, ticket, (words[start].start, words[end - 1].end))

    @staticmethod
    def _read_pairs(
        key: bytes,
        table: Mapping[int, Sequence[tuple[int, Entry]]],
        words: Sequence[Word],
        known: Sequence[set[Part]],
        evidence: dict[int, TextEvidence],
        *,
        lower: bool,
    ) -> None:
        """Two words side by side that are a name in another form: neither of them has to be written as it is.

        `known`: of which parts of which names each word may be a form.
        """
        typed = lower and len(words) <= TYPED
        longer_forms = {text: lengthened(table, key, text) for text in {word.text for word in words}}
        for place, (first, last) in enumerate(pairwise(words)):
            begun = (
                f"f {first.text[:FEWEST_LETTERS]} {last.text}",  # Kate Winter, for Katherine Winter
                f"l {first.text} {last.text[:BEGUN]}",  # Katherine Wintter: written by ear
            )
            heard = by_ear(first.text, last.text) if typed or (first.capital and last.capital) else None
            alike = begun if heard is None else (*begun, f"h {heard}")
            meant = {ticket for pair in alike for ticket, _ in table.get(fingerprint(pair, key), ())}
            one, other = known[place], known[place + 1]
            if one or other:
                one = one or short_with_a_slip(table, key, first.text)
                other = other or short_with_a_slip(table, key, last.text)
            meant |= {ticket for ticket, group, part in one if _has_another_part(other, ticket, group, part)}
            longer, beside = one | longer_forms[first.text], other | longer_forms[last.text]
            capital = first.capital and last.capital
            meant |= {
                ticket
                for ticket, group, part in longer
                if _has_another_part(beside, ticket, group, part, later=not capital)  # not "the lindqvistic marathon"
            }
            for ticket in sorted(meant):
                _mean(evidence, ticket, (first.start, last.end))


def _has_another_part(parts: set[Part], ticket: int, group: int, part: int, *, later: bool = False) -> bool:
    """Whether one of `parts` is another part of the same name, or a `later` one."""
    own = [each[2] for each in parts if each[:2] == (ticket, group)]
    return any(each > part if later else each != part for each in own)


def _mean(evidence: dict[int, TextEvidence], ticket: int, span: tuple[int, int]) -> None:
    """Note that somebody with a name like that of the ticket may be meant at [start, end)."""
    seen = evidence.setdefault(ticket, TextEvidence())
    seen.hinted.append(span)
    seen.weakly = True


def _is_whole(words: Sequence[Word], text: str, start: int, end: int) -> bool:
    """Whether words that are together a whole name are one mention of it; more than two are pieces of it."""
    return end - start != 2 or is_one_mention(words, text, start, end - 1)


def _add_beginnings(add: Callable[..., None], words: Sequence[str], group: int) -> None:
    for end in range(1, len(words)):
        add(f"b {''.join(words[:end])}", Kind.BEGINNING, group)


def text_gate(fits: Iterable[TextFit | None]) -> TextGate | None:
    """The gate of these fits, in their order; None where none of them has any."""
    given = tuple(fits)
    return TextGate(given) if any(fit is not None for fit in given) else None
