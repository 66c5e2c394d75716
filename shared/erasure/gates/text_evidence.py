"""What a text says of one ticket, and how the words of a name that stand in it are weighed together. Pure text."""

import re
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from shared.text.canonical import TITLES, Word

_SENTENCE_ENDS: Final = re.compile(r"[.!?…][\"'”’»)\]]*\s")
GAP: Final = 4  # words between two parts of a name that are written apart
FEW_WORDS: Final = 3  # of an answer that is hardly more than a name: its first word is not capital by grammar
FEWEST_LETTERS: Final = 2  # of a part of a name that counts
BEFORE: Final = (-1,)
BOTH_SIDES: Final = (-1, 1)


@dataclass
class TextEvidence:
    """What a text says of one ticket. `spans` [start, end) are characters: `named` of whole names, `hinted` of parts.

    `parts` and `facts`: which words of its names, by themselves, and which facts are in the text; `identifying` are
    those of the facts that belong to one person alone, `days` are whole dates, which others have as well; `common` says
    of which other people, by number, the model tells a fact too. `weakly`: somebody with part of such a name is meant.
    `surname`: one stands before a capital word, which makes no other person's name of it. `slips`: a word is a part of
    a name but for one letter.
    """

    named: list[tuple[int, int]] = field(default_factory=list)
    hinted: list[tuple[int, int]] = field(default_factory=list)
    parts: set[tuple[int, int]] = field(default_factory=set)
    facts: set[int] = field(default_factory=set)
    identifying: set[int] = field(default_factory=set)
    days: set[int] = field(default_factory=set)
    common: dict[int, set[int]] = field(default_factory=dict)
    weakly: bool = False
    surname: bool = False
    slips: bool = False

    def add(self, other: "TextEvidence") -> None:
        """Take in what another text says of the same ticket."""
        self.named.extend(other.named)
        self.hinted.extend(other.hinted)
        self.parts.update(other.parts)
        self.facts.update(other.facts)
        self.identifying.update(other.identifying)
        self.days.update(other.days)
        for fact, others in other.common.items():
            self.common.setdefault(fact, set()).update(others)
        self.weakly = self.weakly or other.weakly
        self.surname = self.surname or other.surname
        self.slips = self.slips or other.slips

    def moved(self, source: Callable[[int, int], tuple[int, int]]) -> "TextEvidence":
        """The same evidence with its spans where `source` says that they stand."""
        named, hinted = ([source(*span) for span in spans] for spans in (self.named, self.hinted))
        return replace(self, named=named, hinted=hinted)

    @property
    def is_traced(self) -> bool:
        """Whether any word is, or may be meant as, part of the person's name."""
        return bool(self.named) or bool(self.hinted) or self.weakly or self.slips

    @property
    def is_another(self) -> bool:
        """Whether words of the person's names are there, but as parts of the names of other people or of things."""
        return bool(self.hinted) and not self._is_meant

    @property
    def is_near(self) -> bool:
        """Whether the text may well be about the person: enough together with an answer that tells something.

        A surname before a capital word may be the name of a thing ("Lindqvist Bay") and is enough for no more.
        """
        return self.surname or self._is_meant

    @property
    def _is_meant(self) -> bool:
        together = len(self.facts) > 1 and not self._fits_another
        return bool(self.named) or self.weakly or bool(self.identifying) or bool(self.days) or together

    @property
    def _fits_another(self) -> bool:
        """Whether the model tells all of the facts of one other person too."""
        return bool(set.intersection(*(self.common.get(fact, set()) for fact in self.facts)))

    def own_facts(self, besides: "TextEvidence") -> set[int]:
        """The facts that the model tells of nobody else, without those that `besides` has."""
        return self.facts - besides.facts - self.common.keys()


class Hit(NamedTuple):
    """The word at `place` is part `part` of a name; else `exact` is false: it has a slip, or it is its `plural`."""

    place: int
    part: int
    exact: bool
    plural: bool = False


def weigh(
    seen: TextEvidence, group: int, found: Sequence[Hit], words: Sequence[Word], text: str, *, last: int, lower: bool
) -> None:
    """Add to `seen` what the words of one name say together; `last` is the number of its last part."""
    exact = [hit for hit in found if hit.exact]
    own = {hit.place for hit in found}
    seen.slips = seen.slips or any(not hit.exact for hit in found)
    for hit in exact:
        seen.hinted.append((words[hit.place].start, words[hit.place].end))
        if _stands_alone(words, hit.place, own, lower=lower):
            seen.parts.add((group, hit.part))
            seen.weakly = True
        elif hit.part == last > 0 and _stands_alone(words, hit.place, own, lower=lower, sides=BEFORE):
            seen.surname = seen.surname or _is_before_a_word(words, text, hit.place)  # "Is Lindqvist Swedish?"
    for hit in found:
        if hit.plural and _stands_alone(words, hit.place, own, lower=lower):  # "the Vogels", "Miras Haus"
            seen.hinted.append((words[hit.place].start, words[hit.place].end))
            seen.weakly = True
    in_order = sorted(exact, key=lambda hit: hit.place)
    for at, first in enumerate(in_order):
        for number in range(at + 1, len(in_order)):
            second = in_order[number]
            if second.place - first.place > GAP + 1:
                break
            apart = second.part != first.part and second.place > first.place
            whole = {first.part, second.part} == {0, last} or not _is_flanked(
                words, text, first.place, second.place, own
            )
            if apart and whole and _belong_together(words, text, first.place, second.place, own):
                seen.named.append((words[first.place].start, words[second.place].end))
    places: dict[int, set[int]] = {}
    for hit in found:
        places.setdefault(hit.part, set()).add(hit.place)
    if len(places) > 1 and len(set().union(*places.values())) > 1 and exact:
        seen.weakly = True
        seen.hinted.extend((words[hit.place].start, words[hit.place].end) for hit in found)


def is_one_mention(words: Sequence[Word], text: str, first: int, second: int, own: Set[int] = frozenset()) -> bool:
    """Whether two words with nothing or little between them may be one name.

    They are two where a sentence ends between them, or where anything stands between them and one of them belongs to
    another name: "Victor Hugo went to Costa Rica", "I saw Hugo. Costa is the word for a coast." `own` are the places of
    further words of the name.
    """
    if second == first + 1 and len(gap := text[words[first].end : words[second].start]) < 2 and not gap.strip():
        return True
    if second == first + 1 and _SENTENCE_ENDS.match(gap):
        return False
    return not _is_flanked(words, text, first, second, own)


def _is_flanked(words: Sequence[Word], text: str, first: int, second: int, own: Set[int]) -> bool:
    """Whether the first of two words continues, or the second begins, somebody else's name."""
    before = first - 1 not in own and _goes_on(words, text, first - 1, first)
    return before or (second + 1 not in own and _goes_on(words, text, second, second + 1))


def _goes_on(words: Sequence[Word], text: str, place: int, following: int) -> bool:
    """Whether two adjoining words are part of one name: both capital, with a blank between them, neither a title."""
    if place < 0 or following >= len(words):
        return False
    pair = words[place], words[following]
    named = all(word.capital and len(word.text) > 1 and word.text not in TITLES for word in pair) and not pair[0].opens
    return named and text[pair[0].end : pair[1].start] == " "


def _belong_together(words: Sequence[Word], text: str, first: int, second: int, own: Set[int]) -> bool:
    """Whether two parts of a name are one mention, in spite of what stands between them."""
    if not is_one_mention(words, text, first, second, own):
        return False
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


def _is_before_a_word(words: Sequence[Word], text: str, place: int) -> bool:
    """Whether a surname that stands before a capital word is no item of a list, and has no initial before it."""
    initial = place > 0 and words[place - 1].capital and len(words[place - 1].text) == 1
    return not initial and text[words[place].end : words[place + 1].start] == " "


def _stands_alone(
    words: Sequence[Word], place: int, own: set[int], *, lower: bool, sides: Sequence[int] = BOTH_SIDES
) -> bool:
    """Whether the word is used as somebody's name by itself: no capital word at these `sides` makes another name."""
    word = words[place]
    if len(word.text) <= FEWEST_LETTERS or not (word.capital or lower):
        return False
    if lower:
        return True
    for beside in (place + side for side in sides):
        if 0 <= beside < len(words) and beside not in own:
            other = words[beside]
            in_name = not other.opens or len(words) <= FEW_WORDS
            if other.capital and in_name and other.text not in TITLES and len(other.text) > 1:
                return False
    return True
