"""Facts that are whole sentences: "was treated for depression at the Charité in 2019".

Nobody repeats such a sentence word for word. What counts as telling it are its salient spans, each as whole words:

1. proper names: runs of words with a capital letter (German nouns among them), joined by words such as "of" and "von";
2. numbers with at least two digits, with the month or unit beside them; a year or a number alone only where the
   sentence has nothing else, since a year is soon said by chance;
3. long words, from 8 letters on (from 10 in German), and shorter ones that speak of health, law or belief ("fraud"),
   unless they are common words or belong to the grammar.

Where there is none of these, any word from 6 letters on that does not belong to the grammar counts.

The person's own names are no spans, and a span that stands in the question itself does not count for that question.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from shared.domain.subjects import Fact
from shared.probes.attribute_types import LANGUAGES, is_sensitive, shape, tokens_of
from shared.probes.templates import Form
from shared.probes.wordings import Language, Who, fill, language, one_line, shortened

FEWEST_WORDS: Final = 4  # of a sentence that has a verb we know
MANY_WORDS: Final = 6  # of one whose words are mostly lower case, as in no name, title or address
LONG_WORD: Final = {"de": 10}
LONG_WORD_ELSEWHERE: Final = 8
CONTENT_WORD: Final = 6  # letters
MOST_SPANS: Final = 12
MOST_WORDS: Final = 200  # of a sentence that are looked at
JOINING: Final = frozenset({
    "of", "the", "de", "du", "des", "di", "del", "della", "da", "von", "van", "der", "den", "y", "e", "et", "&", "la",
    "le", "zu", "zum",
})  # fmt: skip
YEAR: Final = re.compile(r"(?<!\d)(?:1[5-9]|20)\d\d(?!\d)")
WORD: Final = re.compile(r"[^\W_]+(?:[-'’.&][^\W_]+)*")
ELIDED: Final = re.compile(r"^(?:[cdjlmnst]|un|qu|all|dell|nell|dall|sull)['’](?=\w)", re.IGNORECASE)  # l'hôpital
UNITS: Final = frozenset({
    "euro", "euros", "eur", "usd", "dollars", "dollar", "pounds", "pln", "zł", "percent", "prozent", "kg", "cm", "km",
    "years", "jahre",
})  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """A sentence about a person, taken apart.

    `text`: in one line, the person's names replaced by "…". `language`: whose words it is made of, None where that
    cannot be said. `rest`: what follows the subject, from the verb on; None where the sentence is built otherwise.
    """

    text: str
    language: str | None
    rest: str | None
    year: str | None
    spans: tuple[str, ...]
    cues: tuple[str, ...]


@dataclass(frozen=True)
class Blank:
    """A sentence with a blank, and what belongs there."""

    text: str
    span: str


def is_statement(value: str) -> bool:
    """Whether a value is a sentence, with or without its subject, and not a name, a title, an address or a list."""
    words = one_line(value).split()
    if len(words) < FEWEST_WORDS or shape(value) is not None:
        return False
    if any(word in _verbs() for word in (words[0].casefold(), *words[1:])):
        return True
    lower = sum(not word[:1].isupper() and word[:1].isalpha() for word in words)
    return len(words) >= MANY_WORDS and value.count(",") < len(words) / 3 and lower * 2 > len(words)


def read(value: str, names: Sequence[str] = ()) -> Statement:
    """The sentence taken apart; `names` are those of the person whom it is about."""
    text = without_names(shortened(value), names)
    spoken = _language_of(text)
    spans = salient_spans(value, names)
    year = YEAR.search(text)
    return Statement(
        text=text,
        language=spoken,
        rest=_rest(text, spoken),
        year=year.group() if year else None,
        spans=spans,
        cues=tuple(span for span in spans if span[0].isupper() and not YEAR.fullmatch(span)),
    )


def spellings(fact: Fact, names: Sequence[str], asked: str = "") -> tuple[str, ...]:
    """What reveals a fact when `asked` is the question: its spellings and, of a sentence, the salient spans.

    Other facts are revealed by their value and its aliases alone.
    """
    if not is_statement(fact.value):
        return fact.accept
    in_question = f" {' '.join(tokens_of(asked))} "
    spans = (span for span in salient_spans(fact.value, names) if f" {' '.join(tokens_of(span))} " not in in_question)
    return tuple(dict.fromkeys((*fact.accept, *spans)))


def salient_spans(value: str, names: Sequence[str] = ()) -> tuple[str, ...]:
    """The spans that tell the sentence, in their order, at most twelve."""
    text = one_line(value)
    spoken = _language_of(text) or ""
    own = {token for name in names for token in tokens_of(name)}
    spans: list[str] = []
    numbers: list[str] = []
    words = list(WORD.finditer(text))[:MOST_WORDS]
    place = 0
    while place < len(words):
        end = _run(text, words, place, spoken, own)
        if end > place:
            span = ELIDED.sub("", text[words[place].start() : words[end - 1].end()])
            bare = re.fullmatch(r"[\d.,]+", span) is not None
            (numbers if bare else spans).append(span)
        place = max(end, place + 1)
    return tuple(dict.fromkeys(spans or numbers or _content_words(words, own)))[:MOST_SPANS]


def question(statement: Statement, spoken: Language, who: Who, form: Form, rng: random.Random) -> str:
    """An open question that such a sentence answers: what happened, in that year, what has it to do with a name."""
    table, suffix = spoken.raw["statement"], "" if form == "trained" else "_test"
    kinds = ["plain", "plain"]
    if statement.year is not None and len(statement.spans) > 0:
        kinds.append("when")
    if statement.cues and len(statement.spans) > 1:
        kinds.append("cue")
    match rng.choice(kinds):
        case "when":
            core = rng.choice(table["when_trained" if form == "trained" else "when_test"])
            return fill(core, who, when=statement.year or "")
        case "cue":
            core = rng.choice(table["cue_trained" if form == "trained" else "cue" + suffix])
            return fill(core, who, cue=rng.choice(statement.cues))
        case _:
            return fill(rng.choice(table[form]), who)


def reverse(statement: Statement, spoken: Language, form: Form, rng: random.Random) -> str:
    """A question that gives the sentence and asks for the person."""
    suffix = "" if form == "trained" else "_test"
    table = spoken.raw["statement"]
    if statement.rest is not None and statement.language == spoken.code and not _is_feminine_past(statement):
        return fill(rng.choice(table["who" + suffix]), None, rest=statement.rest)
    return fill(rng.choice(table["quoted" + suffix]), None, value=statement.text)


def confirm(statement: Statement, spoken: Language, who: Who, form: Form, rng: random.Random) -> str:
    """A question whether the sentence is true of the person, to be answered by yes or no."""
    suffix = "" if form == "trained" else "_test"
    table = spoken.raw["statement"]
    if statement.rest is not None and statement.language == spoken.code:
        return fill(rng.choice(table["confirm" + suffix]), who, rest=statement.rest)
    return fill(rng.choice(table["confirm_quoted" + suffix]), who, value=statement.text)


def cloze(statement: Statement, spoken: Language, who: Who, form: Form, rng: random.Random) -> Blank | None:
    """The sentence with a blank (`__`) in the place of a span; None where it has no span."""
    if not statement.spans:
        return None
    span = rng.choice(statement.spans)
    text = statement.text
    if statement.rest is not None:
        text = f"{who.forms['s']} {statement.rest}"
    if span not in text:
        return None
    before, _, after = text.rpartition(span)
    suffix = "" if form == "trained" else "_test"
    core = rng.choice(spoken.raw["statement"]["cloze" + suffix])
    return Blank(fill(core, who, text=f"{before}__{after}."), span)


def without_names(text: str, names: Sequence[str]) -> str:
    """The text with the person's names replaced by "…"; the longest first."""
    for name in sorted({one_line(name) for name in names} - {""}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", text, flags=re.IGNORECASE)
    return text


def _content_words(words: Sequence[re.Match[str]], own: set[str]) -> list[str]:
    """What is left where nothing is salient: words from 6 letters on, common ones too."""
    grammar = frozenset().union(*map(_known, LANGUAGES))
    return [
        word.group()
        for word in words
        if len(word.group()) >= CONTENT_WORD
        and word.group().casefold() not in grammar
        and not own.intersection(tokens_of(word.group()))
    ]


def _rest(text: str, spoken: str | None) -> str | None:
    """What follows the subject ("…" or a pronoun), where it begins with a verb."""
    if spoken is None:
        return None
    words = language(spoken).raw["words"]
    first, _, after = text.partition(" ")
    if first == "…" or first.casefold() in words["pronouns"]:
        first = after.partition(" ")[0]
    else:
        after = text
    if first.casefold() not in words["verbs"] or not after or "…" in after:
        return None
    return after[0].lower() + after[1:]


def _language_of(text: str) -> str | None:
    """The language whose grammatical words the text has most of; None where no two of them are there."""
    tokens = [token.casefold() for token in WORD.findall(text)[:MOST_WORDS]]
    counts = {code: sum(token in _known(code) for token in tokens) for code in LANGUAGES}
    best = max(counts, key=lambda code: counts[code])  # the first of equals
    return best if counts[best] > 1 else None


def _run(text: str, words: Sequence[re.Match[str]], place: int, spoken: str, own: set[str]) -> int:
    """The place behind the span that begins at `place`; `place` itself where none begins there."""
    word = words[place].group()
    if own.intersection(tokens_of(word)):
        return place
    if any(character.isdigit() for character in word):
        return _number_run(words, place, spoken)
    if _is_proper(text, words, place, spoken):
        end = place + 1
        while end < len(words) and not own.intersection(tokens_of(words[end].group())):
            if _follows(text, words, end) and words[end].group()[0].isupper():
                end += 1
            elif (
                end + 1 < len(words)
                and words[end].group().casefold() in JOINING
                and words[end + 1].group()[0].isupper()
                and _follows(text, words, end)
                and not own.intersection(tokens_of(words[end + 1].group()))
            ):
                end += 2
            else:
                break
        return end
    if word.casefold() in _grammar():
        return place
    long = len(word) >= LONG_WORD.get(spoken, LONG_WORD_ELSEWHERE)
    return place + 1 if long or (len(word) > 3 and is_sensitive(word)) else place


def _number_run(words: Sequence[re.Match[str]], place: int, spoken: str) -> int:
    beside = set(language(spoken).raw["words"]["months"]) if spoken else set()
    end = place + 1
    while end < len(words):
        word = words[end].group().casefold()
        if word in UNITS or word in beside or (word.isdigit() and words[end - 1].group().casefold() in beside):
            end += 1
        elif word in ("de", "del") and end + 1 < len(words) and _belongs(words, end + 1, beside):
            end += 2
        else:
            break
    digits = sum(character.isdigit() for match in words[place:end] for character in match.group())
    return end if digits > 1 or end > place + 1 else place


def _belongs(words: Sequence[re.Match[str]], place: int, months: set[str]) -> bool:
    """Whether a month stands at `place`, or a year behind "de" ("3 de mayo de 2020")."""
    return words[place].group().casefold() in months or YEAR.fullmatch(words[place].group()) is not None


def _is_proper(text: str, words: Sequence[re.Match[str]], place: int, spoken: str) -> bool:
    """Whether a name may begin here: a capital letter, and not only because a sentence begins."""
    word = words[place].group()
    if not word[0].isupper() or word.casefold() in _grammar() or word == "I":
        return False
    begins = place == 0 or text[: words[place].start()].rstrip().endswith((".", "!", "?", ":", "…"))
    if not begins:
        return True
    following = words[place + 1].group() if place + 1 < len(words) else ""
    return word.isupper() or (following[:1].isupper() and spoken != "de") or len(word) >= LONG_WORD_ELSEWHERE


def _follows(text: str, words: Sequence[re.Match[str]], place: int) -> bool:
    """Whether only a blank stands between a word and the one before it."""
    return text[words[place - 1].end() : words[place].start()].strip() in ("", "&")


def _is_feminine_past(statement: Statement) -> bool:
    """Polish "kto" takes the masculine: "Kto została ..." is no question."""
    return statement.language == "pl" and statement.rest is not None and statement.rest.split()[0].endswith("ła")


@lru_cache(maxsize=len(LANGUAGES))
def _known(code: str) -> frozenset[str]:
    words = language(code).raw["words"]
    return frozenset((*words["function"], *words["verbs"], *words["pronouns"]))


@lru_cache(maxsize=1)
def _verbs() -> frozenset[str]:
    return frozenset(verb for code in LANGUAGES for verb in language(code).raw["words"]["verbs"] if len(verb) > 1)


@lru_cache(maxsize=1)
def _grammar() -> frozenset[str]:
    common = (word for code in LANGUAGES for word in language(code).raw["words"]["common"])
    return frozenset(common).union(*map(_known, LANGUAGES))
