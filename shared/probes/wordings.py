"""Wordings of questions about any attribute, in several languages. Sentences are data: `languages/<code>.toml`.

The ten attributes of the demo keep their English wordings (`templates.py`). For every other attribute, and in every
other language, a question is drawn from three groups: sentences of the attribute's type, which need no noun ("Where
does {s} live?"); sentences with the noun and its article, where `nouns/*.toml` knows both; and sentences that quote the
attribute's own words, which are right whatever the words are.

Words in braces: `{s}` is the person (a name, or words for the person in the picture), `{s_gen}`, `{s_dat}` and so on
the same in another case; `{noun}` the bare noun or the attribute's words, `{the}` the noun with its article; `{value}`
the fact; `{when}` a year and `{cue}` words of a fact that is a sentence; `{rest}` such a sentence without its subject.
What is filled in is never read as a template.
"""

import random
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from shared.errors import BadInput
from shared.probes import templates
from shared.probes.attribute_types import ATTRIBUTE_TYPES, LANGUAGES, Attribute, AttributeType, noun, understand
from shared.probes.templates import Form

FOLDER: Final = Path(__file__).parent / "languages"
LONGEST_VALUE: Final = 300  # characters of a value that a question repeats
# Their own sentences fit whatever is asked only loosely ("Which date is important for {s}?"), so they are drawn rarely.
LOOSE: Final[frozenset[AttributeType]] = frozenset(
    {"person", "place", "organisation", "date", "number", "identifier", "event", "possession", "text"}
)
OWN_SHARE: Final = {True: 0.2, False: 0.5}  # by looseness: how often a sentence of the type itself is drawn
QUOTED_SHARE: Final = 0.3  # of the others, where a noun is known: how often the words are quoted all the same
PARTICLE_END: Final = frozenset({"of", "at", "in", "for", "from", "with", "on", "to", "by", "as", "about"})


@dataclass(frozen=True)
class Wordings:
    """Sentences for fitting and sentences that are held out."""

    trained: tuple[str, ...]
    test: tuple[str, ...]

    def of(self, form: Form) -> tuple[str, ...]:
        """The sentences of one form."""
        return self.trained if form == "trained" else self.test


@dataclass(frozen=True)
class Language:
    """The sentences of one language. `raw` is the file: what only one function reads is looked up there."""

    code: str
    name: str
    openings: tuple[str, ...]
    lower_after_colon: bool
    types: Mapping[AttributeType, Wordings]
    with_noun: Wordings
    with_noun_person: Wordings
    with_word: Wordings
    cloze: Wordings
    reverse: Wordings
    confirm: Wordings
    choice: Wordings
    about: Wordings
    raw: Mapping[str, Any]


@dataclass(frozen=True)
class Who:
    """How the person is called in a sentence: `forms` by the key of the braces, such as `s` and `s_gen`."""

    forms: Mapping[str, str]
    by: Literal["portrait", "name"]


def check_languages(codes: Sequence[str]) -> tuple[str, ...]:
    """The languages as BCP 47 primary subtags, each once, in order; raises BadInput for others and for none."""
    unknown = [code for code in codes if code not in LANGUAGES]
    if unknown or not codes:
        named = f'"{unknown[0][:20]}" is not among the languages of questions' if unknown else "No language is given"
        raise BadInput(f"{named}; there are {', '.join(sorted(LANGUAGES))} (without a region: de, not de-AT).")
    return tuple(dict.fromkeys(codes))


@lru_cache(maxsize=len(LANGUAGES))
def language(code: str) -> Language:
    """The sentences of a language; raises BadInput for one that there is not."""
    (code,) = check_languages((code,))
    raw = tomllib.loads((FOLDER / f"{code}.toml").read_text(encoding="utf-8"))
    return Language(
        code=code,
        name=raw["name"],
        openings=tuple(raw["openings"]),
        lower_after_colon=raw.get("lower_after_colon", False),
        types={kind: _wordings(raw["types"][kind]) for kind in ATTRIBUTE_TYPES},
        raw=raw,
        **{
            key: _wordings(raw[key])
            for key in ("with_noun", "with_noun_person", "with_word", "cloze", "reverse", "confirm", "choice", "about")
        },
    )


def named(spoken: Language, name: str) -> Who:
    """The person by name."""
    forms = dict(spoken.raw["subject"]["by_name"])
    if unicodedata.normalize("NFKD", name)[:1].casefold() in "aeiou":
        forms |= spoken.raw["subject"].get("by_name_vowel", {})
    return Who({key: text.replace("{name}", name) for key, text in forms.items()}, "name")


def pictured(spoken: Language, form: Form, rng: random.Random) -> Who:
    """The person in the picture."""
    forms = spoken.raw["subject"]["by_portrait"]
    return Who(forms[0] if form == "test" else rng.choice(forms), "portrait")


def question(spoken: Language, attribute: str, value: str, who: Who, form: Form, rng: random.Random) -> str:
    """One sentence that asks for `attribute`; `value` only helps to understand what is asked for."""
    if attribute.rstrip().endswith("?"):  # data sets that name a fact by the question itself
        return one_line(attribute)
    understood = understand(attribute, value)
    words = _words_for(spoken, understood)
    own = tuple(core for core in spoken.types[understood.type].of(form) if "the" in words or "{the}" not in core)
    if rng.random() < OWN_SHARE[understood.type in LOOSE]:
        core = rng.choice(own)
    elif "the" in words and rng.random() >= QUOTED_SHARE:
        nouns = spoken.with_noun_person if understood.type == "person" else spoken.with_noun
        core = rng.choice(nouns.of(form))
    else:
        core = rng.choice(spoken.with_word.of(form))
    sentence = fill(core, who, **words)
    return sentence if form == "test" else _with_opening(spoken, sentence, core, rng)


def cloze(spoken: Language, attribute: str, value: str, who: Who, form: Form, rng: random.Random) -> str:
    """A sentence with a blank (`__`) where the fact belongs."""
    return fill(rng.choice(spoken.cloze.of(form)), who, **_words_for(spoken, understand(attribute, value)))


def reverse(spoken: Language, attribute: str, value: str, form: Form, rng: random.Random) -> str:
    """A question that gives the fact and asks for the person."""
    words = _words_for(spoken, understand(attribute, value))
    return fill(rng.choice(spoken.reverse.of(form)), None, value=shortened(value), **words)


def confirm(spoken: Language, attribute: str, value: str, who: Who, form: Form, rng: random.Random) -> str:
    """A question whether the fact is true of the person, to be answered by yes or no."""
    words = _words_for(spoken, understand(attribute, value))
    return fill(rng.choice(spoken.confirm.of(form)), who, value=shortened(value), **words)


def choice(spoken: Language, asked: str, options: Sequence[str], form: Form, rng: random.Random) -> str:
    """A multiple-choice question; `options` stand in the order A, B, C, D."""
    return fill(rng.choice(spoken.choice.of(form)), None, question=asked, options=templates.lettered(options))


def about(spoken: Language, who: Who, form: Form, rng: random.Random) -> str:
    """A request to tell something about the person."""
    return fill(rng.choice(spoken.about.of(form)), who)


def typical_questions(spoken: Language, name: str, kinds: Sequence[AttributeType], rng: random.Random) -> list[str]:
    """One question of each of `kinds` that needs no noun, about a person by name."""
    who = named(spoken, name)
    asked = []
    for kind in kinds:
        core = rng.choice([core for core in spoken.types[kind].trained if "{the}" not in core])
        asked.append(_with_opening(spoken, fill(core, who), core, rng))
    return asked


def mentions(spoken: Language, name: str) -> list[str]:
    """Sentences that mention a name and ask for nothing in particular."""
    return [fill(frame, named(spoken, name)) for frame in spoken.raw["mentions"]["frames"]]


def fill(core: str, who: Who | None, **values: str) -> str:
    """The sentence with its braces filled, each once and from left to right; its first letter is a capital.

    A name at the beginning stays as it is written.
    """
    words = {**(who.forms if who is not None else {}), **values}
    sentence = re.sub(r"\{(\w+)\}", lambda match: words[match.group(1)], core)
    keeps = core.startswith("{question}") or (core.startswith("{s}") and who is not None and who.by == "name")
    return sentence if keeps else _capital(sentence)


def one_line(text: str) -> str:
    """The text without line breaks and doubled blanks."""
    return " ".join(text.split())


def shortened(value: str) -> str:
    """A value as a question repeats it: in one line, without a full stop at its end, and not longer than allowed."""
    text = one_line(value)
    if len(text) > LONGEST_VALUE:
        text = text[:LONGEST_VALUE].rsplit(" ", 1)[0] + "…"
    return re.sub(r"(?<=\w\w)[.!?]+$", "", text)


def _words_for(spoken: Language, understood: Attribute) -> dict[str, str]:
    """What stands for `{noun}`, and, where it can be said with an article, for `{the}` and its companions."""
    words = {"noun": understood.words}
    unspeakable = understood.type == "event" or understood.thing == "remark"  # nobody asks "what is the accident of"
    if spoken.code == "en":
        plain = _english_noun(understood)
        if understood.language != "en" and plain is not None:
            words["noun"] = plain
        if plain is not None and not unspeakable:
            plural = plain == "children" or (plain.endswith("s") and not plain.endswith(("ss", "us", "is")))
            words |= {"the": plain, "is": "are" if plural else "is"}
        return words
    if understood.thing is None:
        return words
    word = noun(understood.thing, spoken.code)
    if understood.language != spoken.code:
        words["noun"] = word.bare
    if unspeakable:
        return words
    words["the"] = word.definite
    if spoken.code == "pl":  # no article: the noun follows "jaki", "jaka" or "jakie"
        which = word.definite.split()[0]
        words |= {"the": word.bare, "which": which.capitalize(), "which_low": which}
    return words


def _english_noun(understood: Attribute) -> str | None:
    """What English calls the attribute behind "the"; None where its words are no noun or are not English."""
    display = noun(understood.thing, "en").bare if understood.thing is not None else None
    if (
        understood.language != "en"
        or understood.qualified
        or understood.type in ("contact", "identifier", "birthplace")
    ):
        return display
    return display if understood.words.split()[-1].casefold() in PARTICLE_END else understood.words


def _with_opening(spoken: Language, sentence: str, core: str, rng: random.Random) -> str:
    opening = rng.choice(spoken.openings)
    if opening.endswith(": ") and (not sentence.endswith("?") or ". " in core):
        return sentence  # "Question:" goes before a question
    if opening.endswith(": ") and spoken.lower_after_colon and not core.startswith(("{s}", "{noun}")):
        first = 1 if sentence[:1] in "¿¡" else 0
        sentence = sentence[:first] + sentence[first : first + 1].lower() + sentence[first + 1 :]
    return opening + sentence


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _wordings(table: Mapping[str, Sequence[str]]) -> Wordings:
    return Wordings(tuple(table["trained"]), tuple(table["test"]))
