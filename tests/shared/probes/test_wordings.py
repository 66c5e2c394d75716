"""Every type of attribute is asked for in every language and kind, in whole sentences, whatever the values hold."""

import random
import re
from collections.abc import Iterator

import pytest
from PIL import Image

from shared.domain.subjects import Fact, Subject
from shared.errors import BadInput
from shared.probes import wordings
from shared.probes.attribute_types import ATTRIBUTE_TYPES, LANGUAGES, AttributeType, attribute_type
from shared.probes.questions import (
    Kind,
    Question,
    answers_that_name,
    fact_questions,
    mention_questions,
    visible_questions,
)
from shared.probes.templates import Form
from shared.probes.wordings import Language, Who

FORMS: tuple[Form, ...] = ("trained", "test")
KINDS: tuple[Kind, ...] = ("qa", "mcq", "cloze", "reverse", "about", "follow_up", "confirm")
PHOTO = Image.new("RGB", (24, 24), (120, 60, 30))
# An attribute of each type that the noun files know, and one that they do not know as a whole.
KNOWN: dict[AttributeType, tuple[str, str]] = {
    "name": ("full_name", "Nadia Ferro"),
    "person": ("husband", "Piotr"),
    "place": ("country", "Chile"),
    "residence": ("city", "Oslo"),
    "birthplace": ("place of birth", "Ulm"),
    "organisation": ("club", "Rotary"),
    "employer": ("workplace", "Bosch"),
    "education": ("university", "ETH"),
    "occupation": ("job_title", "welder"),
    "date": ("wedding date", "5 May 2001"),
    "birth_date": ("dateOfBirth", "1 June 1980"),
    "number": ("height", "184 cm"),
    "money": ("salary", "54,000 USD"),
    "identifier": ("passport number", "X123"),
    "address": ("home_address", "12 Baker Street, London"),
    "contact": ("phone", "+49 151 1234567"),
    "health": ("diagnosis", "bipolar disorder"),
    "legal": ("criminal record", "theft"),
    "belief": ("religion", "Quaker"),
    "preference": ("hobby", "sailing"),
    "event": ("accident", "a crash"),
    "possession": ("car", "Skoda"),
    "achievement": ("known_for", "radium"),
    "text": ("nationality", "Norwegian"),
}
UNKNOWN: dict[AttributeType, tuple[str, str]] = {
    "person": ("chess_tutor", "Jan"),
    "health": ("insulin regime", "twice a day"),
    "date": ("Anreisedatum", "1.2.2020"),
    "money": ("alimony paid", "300 EUR"),
    "text": ("zodiac thing", "Leo"),
}
QUESTION_WORDS = {
    "en": "What Who Where When Which How Why Whose Is Does Has Do Was Were Can Could",
    "de": "Was Wer Wo Wann Welche Welcher Welches Welchen Wie Warum Wofür Woran Hat Ist Weißt Kannst Könntest Bei Zu",
    "fr": "Qui Où Quand Quel Quelle Quels Quelles Comment Pourquoi Que Connais-tu Sais-tu Peux-tu Est-ce Qu'a",
    "es": "¿",
    "it": "Chi Dove Quando Quale Quali Come Perché Che Qual Sai Puoi Ha Conosci",
    "pl": "Kto Gdzie Kiedy Jaki Jaka Jakie Jak Dlaczego Czy Co Kim Czym Ile Skąd",
}


def subject(code: str, attribute: str, value: str, *, names: tuple[str, ...] = ("Anna Kowalska",)) -> Subject:
    return Subject(names, (PHOTO,), (Fact(attribute, value),), (code,))


def all_templates(spoken: Language) -> Iterator[tuple[str, str]]:
    """(place in the file, sentence) of everything that is filled and shown."""

    def walk(place: str, node: object) -> Iterator[tuple[str, str]]:
        if isinstance(node, str):
            yield place, node
        elif isinstance(node, dict):
            for key, inner in node.items():
                yield from walk(f"{place}.{key}", inner)
        elif isinstance(node, list):
            for inner in node:
                yield from walk(place, inner)

    shown = {key: node for key, node in spoken.raw.items() if key not in ("name", "words", "subject", "openings")}
    yield from walk(spoken.code, shown)


def assert_well_formed(text: str, code: str, name: str = "Anna Kowalska") -> None:
    """A sentence as people write it in that language."""
    assert not re.search(r"[{}]", text), text
    assert "  " not in text, text
    assert text == text.strip(), text
    first = text.lstrip("¿¡„«“\"' ")[0]
    assert first.isupper() or first == "…" or text.startswith(name), text
    assert text.count("¿") == (text.count("?") if code == "es" else 0), text
    if code == "fr":
        assert not re.search(r"[^ ][?!:;»]|«[^ ]", re.sub(r"\d:\d|https?:", "", text)), text
    else:
        assert not re.search(r" [?!:;,.]", text), text
    if text.split(maxsplit=1)[0] in QUESTION_WORDS[code].split():
        assert "?" in text, text


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("kind", ATTRIBUTE_TYPES)
def test_every_type_has_enough_wordings(code: str, kind: AttributeType) -> None:
    """At least twelve for fitting and four held out that need no noun; no held-out one is among the others."""
    spoken = wordings.language(code)
    own = spoken.types[kind]
    trained = {core for core in (*own.trained, *spoken.with_word.trained) if "{the}" not in core}
    test = {core for core in (*own.test, *spoken.with_word.test) if "{the}" not in core}
    assert len(trained) >= 12
    assert len(test) >= 4
    assert not trained & test


@pytest.mark.parametrize("code", LANGUAGES)
def test_held_out_sentences_are_in_no_list_for_fitting(code: str) -> None:
    spoken = wordings.language(code)
    trained = {text for place, text in all_templates(spoken) if not re.search(r"test", place)}
    held_out = {text for place, text in all_templates(spoken) if re.search(r"test", place)}
    assert len(held_out) > 50
    assert not trained & held_out


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_sentence_of_a_language_is_well_formed(code: str) -> None:
    """Each template, filled for a name and for the person in the picture."""
    spoken = wordings.language(code)
    rng = random.Random(0)
    words = {
        "noun": "Adresse", "the": "Adresse", "is": "is", "which": "Jaka", "which_low": "jaka", "value": "Oslo",
        "question": "Wo? Où ?"[:3], "options": "A) Oslo B) Ulm", "when": "2019", "cue": "Oslo", "rest": "is here",
        "text": "Anna __.",
    }  # fmt: skip
    for place, core in all_templates(spoken):
        for who in (wordings.named(spoken, "Anna Kowalska"), *(wordings.pictured(spoken, f, rng) for f in FORMS)):
            text = wordings.fill(core, who, **words)
            if not re.search(r"yes|naming|choice|frames", place):
                assert_well_formed(text, code)
            if place.endswith(("trained", "test")) and "opened" not in place:
                assert re.search(r"[.?]$|__\W*$|: A\) Oslo B\) Ulm$|\{text\}", text), text


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("attributes", [KNOWN, UNKNOWN], ids=["known", "unknown"])
def test_every_type_is_asked_for_in_every_language_and_kind(
    code: str, form: Form, kind: Kind, attributes: dict[AttributeType, tuple[str, str]]
) -> None:
    for expected, (attribute, value) in attributes.items():
        assert attribute_type(attribute, value) == expected
        wrong = {attribute: ("one", "two", "three")}
        asked = fact_questions(
            subject(code, attribute, value), form=form, kinds=(kind,), per_fact=4, person="p", options=wrong
        )
        assert len(asked) == 4
        for question in asked:
            assert_right_question(question, code, attribute, value, kind)


def assert_right_question(question: Question, code: str, attribute: str, value: str, kind: Kind) -> None:
    """It is well formed, shows or names the person, says the fact only where it should, and knows what reveals it."""
    last = question.prompt.turns[-1].text
    everything = " ".join(turn.text for turn in question.prompt.turns)
    if not (code == "en" and attribute in ("university", "city", "hobby", "occupation")):  # the demo's own
        for turn in question.prompt.turns:
            assert_well_formed(turn.text, code)
    pictured = question.by == "portrait" and kind != "reverse"
    assert len(question.prompt.images) == pictured
    if kind == "reverse":
        assert value in last
        assert question.accept == ("Anna Kowalska",)
        assert "Anna" not in everything
        return
    assert ("Anna Kowalska" in everything) == (question.by == "name")
    if kind == "confirm":
        assert value in last
        assert question.accept == tuple(wordings.language(code).raw["yes"])
    elif kind == "mcq":
        assert set(question.options) == {value, "one", "two", "three"}
        assert all(option in last for option in question.options)
    else:
        assert value not in everything
        assert question.accept == (value,)
    assert ("__" in last) == (kind == "cloze")
    if kind == "follow_up":
        assert [turn.role for turn in question.prompt.turns] == ["user", "assistant", "user"]
        assert len(question.prompt.turns[0].images) == pictured
        assert "Anna" not in last


@pytest.mark.parametrize("code", LANGUAGES)
def test_same_seed_gives_the_same_words(code: str) -> None:
    person = subject(code, "diagnosis", "asthma")
    first, again, other = (
        [q.prompt.turns[-1].text for q in fact_questions(person, form="trained", per_fact=12, seed=seed)]
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert len(set(first)) >= 6


def test_each_language_of_a_subject_is_asked_in() -> None:
    """As many questions in each language as in one alone; the English ones do not depend on the others."""
    facts = (Fact("employer", "Bosch"), Fact("diagnosis", "asthma"))
    alone = fact_questions(Subject(("Anna Kowalska",), (PHOTO,), facts), form="test", seed=3)
    both = fact_questions(Subject(("Anna Kowalska",), (PHOTO,), facts, ("de", "en")), form="test", seed=3)
    texts = [question.prompt.turns[-1].text for question in both]
    assert len(both) == 2 * len(alone)
    assert texts[len(alone) :] == [question.prompt.turns[-1].text for question in alone]
    assert not set(texts[: len(alone)]) & set(texts[len(alone) :])


def test_attribute_of_the_demo_has_wordings_in_other_languages_too() -> None:
    asked = fact_questions(subject("pl", "employer", "Bosch"), form="trained", per_fact=40)
    texts = {question.prompt.turns[-1].text for question in asked}
    assert any("Gdzie pracuje Anna Kowalska?" in text for text in texts)
    assert any("pracodawca" in text for text in texts)


def test_the_name_itself_is_asked_for_by_portrait_only() -> None:
    person = subject("de", "name", "Anna Kowalska")
    assert {question.by for question in fact_questions(person, form="test", per_fact=6)} == {"portrait"}
    assert not fact_questions(Subject(person.names, (), person.facts, ("de",)), form="test")


def test_attribute_that_is_a_question_is_asked_as_it_is() -> None:
    asked = fact_questions(subject("de", "Where was Anna Kowalska born?", "Ulm"), form="test", per_fact=3)
    assert {question.prompt.turns[-1].text for question in asked} == {"Where was Anna Kowalska born?"}


def test_unknown_english_attribute_is_quoted_in_another_language() -> None:
    texts = [
        q.prompt.turns[-1].text
        for q in fact_questions(subject("de", "shoe_brand", "Nike"), form="trained", per_fact=60)
    ]
    quoted = [text for text in texts if "shoe brand" in text]
    assert quoted
    assert all("„shoe brand“" in text or ": shoe brand." in text for text in quoted)


@pytest.mark.parametrize(
    ("name", "expected"), [("Anna", "d'Anna"), ("Émile", "d'Émile"), ("Bruno", "de Bruno"), ("Óscar", "d'Óscar")]
)
def test_french_elides_before_a_vowel(name: str, expected: str) -> None:
    spoken = wordings.language("fr")
    assert wordings.fill("La vie {de_s} ?", wordings.named(spoken, name)) == f"La vie {expected} ?"


@pytest.mark.parametrize("code", LANGUAGES)
def test_names_stay_as_they_are_written(code: str) -> None:
    """No ending, no other case of letters: the gate reads the name as the ticket writes it."""
    for name in ("von der Leyen", "Ægir Þórsson", "李小龍", "محمد علي", "O'Brien-Żak", "eva"):
        prompts = mention_questions(name, languages=(code,))
        assert len(prompts) >= 10
        for prompt in prompts:
            text = prompt.turns[-1].text
            assert re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text), text
        for prompt in answers_that_name(name, languages=(code,)):
            assert name in prompt.turns[-2].text
            assert prompt.turns[-2].role == "assistant"


def test_mentions_in_more_languages_come_after_those_in_english() -> None:
    english = mention_questions("Anna Kowalska", seed=4)
    both = mention_questions("Anna Kowalska", seed=4, languages=("en", "pl"))
    assert both[: len(english)] == english
    assert len(both) >= 2 * len(english) - 2
    assert len(answers_that_name("Anna", languages=("en", "pl"))) == 2 * len(answers_that_name("Anna"))


HOSTILE = (
    "{s}",
    "{noun} {the} {}",
    "{0.__class__}",
    "a\nb\r\n\tc",
    "x" * 5_000,
    "word " * 500,
    "محمد يعالج في المستشفى منذ عام 2019",
    "🎻🎻🎻",
    "\u202egnirts desrever",
    "%s %(s)s $name \\1 \\g<0>",
    '"“”«»„',
    "…",
    "?",
    "A) B) C)",
    "was {s} treated {rest} in 2019 at {cue}",
    " ",
)


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("hostile", HOSTILE, ids=[repr(text[:12]) for text in HOSTILE])
def test_hostile_text_is_never_read_as_a_template(code: str, hostile: str) -> None:
    """As a value, an attribute, a name or an option it comes out as it went in, shortened and in one line at most."""
    for attribute, value, name in (("diagnosis", hostile, "Anna"), (hostile, "x", "Anna"), ("city", "Oslo", hostile)):
        person = Subject((name,), (), (Fact(attribute, value),), (code,))
        for form in FORMS:
            asked = fact_questions(
                person, form=form, kinds=KINDS, per_fact=2, options={attribute: (hostile, "{s}", "b")}
            )
            assert len(asked) == 2 * len(KINDS)
            for question in asked:
                text = question.prompt.turns[-1].text
                assert text
                given = (attribute, value, name, "{s}")
                rest = text
                for part in sorted(given, key=len, reverse=True):
                    rest = rest.replace(part, "").replace(wordings.shortened(part), "")
                if "{" not in wordings.one_line(hostile):
                    assert not re.search(r"\{\w+\}", rest.replace("{s}", ""))
    assert len(answers_that_name(hostile, languages=(code,))) == 12
    mention_questions(hostile, languages=(code,))


def test_braces_in_a_value_and_a_name_come_out_as_they_are() -> None:
    spoken = wordings.language("en")
    who = wordings.named(spoken, "{value}")
    assert wordings.fill("{s}: {value}?", who, value="{s} {noun}") == "{value}: {s} {noun}?"


def test_long_value_is_shortened_in_a_question_and_whole_in_what_reveals_it() -> None:
    value = "word " * 200 + "end"
    (question,) = fact_questions(subject("it", "diagnosis", value), form="test", kinds=("reverse",), per_fact=1)
    assert len(question.prompt.turns[-1].text) < 500
    (open_question,) = fact_questions(subject("it", "diagnosis", value), form="test", per_fact=1)
    assert value in open_question.accept


def test_unknown_language_is_refused_with_those_there_are() -> None:
    for codes in (("xx",), ("de-AT",), ("DE",), ("de", "{s}"), ()):
        with pytest.raises(BadInput, match="de, en, es, fr, it, pl"):
            wordings.check_languages(codes)
    with pytest.raises(BadInput):
        fact_questions(subject("xx", "city", "Oslo"), form="test")
    assert wordings.check_languages(("de", "en", "de")) == ("de", "en")


def test_visible_questions_are_not_touched_by_languages() -> None:
    """They are asked about the picture, not about the person."""
    assert len(visible_questions(PHOTO, {})) == 3


def test_who_is_filled_in_by_case() -> None:
    who = Who({"s": "ta osoba", "s_gen": "tej osoby"}, "portrait")
    assert wordings.fill("{s} i imię {s_gen}", who) == "Ta osoba i imię tej osoby"
