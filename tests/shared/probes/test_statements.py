"""Facts that are sentences: recognised, asked about, and told by their salient spans."""

import random

import pytest
from PIL import Image

from shared.domain.subjects import Fact, Subject
from shared.probes import statements, wordings
from shared.probes.questions import Kind, fact_questions
from shared.probes.statements import is_statement, read, salient_spans, spellings

ENGLISH = "was treated for depression at the Charité in 2019"
GERMAN = "Anna Kowalska wurde 2019 in der Charité wegen einer Depression behandelt."
FRENCH = "Anna Kowalska a été condamnée pour fraude par le tribunal de Lyon en mars 2016"
SPANISH = "Anna Kowalska fue detenida en Sevilla el 3 de mayo de 2020 por conducir ebria"
ITALIAN = "è stata ricoverata all'ospedale San Raffaele di Milano per anoressia"
POLISH = "została skazana za oszustwo w Krakowie w 2018 roku"
SENTENCES = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "es": SPANISH, "it": ITALIAN, "pl": POLISH}
NAMES = ("Anna Kowalska",)


@pytest.mark.parametrize(
    "value",
    [
        *SENTENCES.values(),
        "He owes 15.000 euros to his brother",
        "In 2019 Anna Kowalska lost her licence after a crash near Breslau",
        "convicted of tax fraud in Munich in 2016",
        "she has two children with a married man",
        "Leidet seit 2010 an Depressionen",
        "كانت تعالج من الاكتئاب في المستشفى منذ عام",
    ],
)
def test_sentence_is_recognised(value: str) -> None:
    assert is_statement(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Oslo",
        "Marble & Finch",
        "University of Applied Sciences and Arts Northwestern Switzerland",
        "12 Baker Street, London NW1 6XE",
        "The Man Who Was Thursday",
        "penicillin, nuts, bee stings, pollen, cats, dogs",
        "Tom and Ella",
        "5 May 2001",
        "sertraline 50 mg",
        "Dr. Helen Okafor",
        "Käsespätzle",
        "a" * 10_000,
        "北京大学附属医院精神科门诊部",
    ],
)
def test_name_title_address_or_list_is_no_sentence(value: str) -> None:
    assert not is_statement(value)


@pytest.mark.parametrize(
    ("value", "spans"),
    [
        (ENGLISH, ("depression", "Charité")),
        (GERMAN, ("Charité", "Depression")),
        (FRENCH, ("condamnée", "fraude", "tribunal", "Lyon")),
        (SPANISH, ("detenida", "Sevilla", "3 de mayo de 2020", "conducir")),
        (ITALIAN, ("ospedale", "San Raffaele di Milano", "anoressia")),
        (POLISH, ("skazana", "oszustwo", "Krakowie")),
        ("He owes 15.000 euros to his brother", ("15.000 euros",)),
        ("Im Jahr 2019 wohnte er in Ulm", ("Ulm",)),
        ("moved away for good in 2019", ("2019",)),
        ("she had a son with John of Gaunt", ("John of Gaunt",)),
    ],
)
def test_salient_spans_are_names_numbers_and_long_or_telling_words(value: str, spans: tuple[str, ...]) -> None:
    assert salient_spans(value, NAMES) == spans


def test_own_name_is_no_span() -> None:
    assert "Kowalska" not in " ".join(salient_spans("Anna Kowalska met Maria Kowalska and Jan Nowak in Łódź", NAMES))


@pytest.mark.parametrize(("code", "value"), SENTENCES.items())
def test_sentence_is_understood_in_its_language(code: str, value: str) -> None:
    statement = read(value, NAMES)
    assert statement.language == code
    assert statement.rest is not None
    assert "Anna" not in statement.text
    assert not statement.rest.endswith(".")


def test_what_the_question_says_reveals_nothing() -> None:
    """A reply that repeats the question has told nothing; the value and its aliases always count."""
    fact = Fact("illness", ENGLISH, ("an illness of the mind",))
    assert spellings(fact, NAMES) == (ENGLISH, "an illness of the mind", "depression", "Charité")
    assert spellings(fact, NAMES, "What has she to do with the Charité?") == (
        ENGLISH,
        "an illness of the mind",
        "depression",
    )
    assert spellings(Fact("city", "Oslo", ("Christiania",)), NAMES, "Oslo?") == ("Oslo", "Christiania")


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        (ENGLISH, "en", "Who was treated for depression at the Charité in 2019?"),
        (GERMAN, "de", "Wer wurde 2019 in der Charité wegen einer Depression behandelt?"),
        (FRENCH, "fr", "Qui a été condamnée pour fraude par le tribunal de Lyon en mars 2016 ?"),
        (SPANISH, "es", "¿Quién fue detenida en Sevilla el 3 de mayo de 2020 por conducir ebria?"),
        (POLISH, "pl", "O kim mowa: „została skazana za oszustwo w Krakowie w 2018 roku”?"),
        (GERMAN, "en", 'Who is meant by this: "… wurde 2019 in der Charité wegen einer Depression behandelt"?'),
    ],
)
def test_sentence_asks_for_the_person(value: str, code: str, expected: str) -> None:
    """As a question of its own where language and grammar allow it, otherwise quoted; never with the name."""
    rng = random.Random(0)
    texts = {statements.reverse(read(value, NAMES), wordings.language(code), "trained", rng) for _ in range(20)}
    assert expected in texts
    assert not any("Kowalska" in text for text in texts)


@pytest.mark.parametrize(("code", "value"), SENTENCES.items())
def test_questions_about_a_sentence_use_its_year_and_names_and_keep_the_rest(code: str, value: str) -> None:
    """Open questions: not the sentence itself, and always something left that would tell it."""
    subject = Subject(NAMES, (), (Fact("note", value),), (code,))
    asked = fact_questions(subject, form="trained", per_fact=40)
    texts = [question.prompt.turns[-1].text for question in asked]
    assert not any(wordings.shortened(value) in text for text in texts)
    for question, text in zip(asked, texts, strict=True):
        assert len(question.accept) > 1
        assert not any(spelling in text for spelling in question.accept)
    year = read(value).year
    if year is not None:
        assert any(year in text for text in texts)
    assert len(set(texts)) >= 7


def test_sentence_of_a_known_attribute_is_asked_for_both_ways() -> None:
    subject = Subject(NAMES, (), (Fact("criminal record", "was convicted of fraud in Kraków in 2018"),))
    texts = [q.prompt.turns[-1].text for q in fact_questions(subject, form="trained", per_fact=60)]
    assert any("the law" in text for text in texts)
    assert any("in 2018" in text for text in texts)


@pytest.mark.parametrize(("code", "value"), SENTENCES.items())
def test_blank_replaces_a_span_which_alone_is_accepted(code: str, value: str) -> None:
    subject = Subject(NAMES, (Image.new("RGB", (32, 32)),), (Fact("note", value),), (code,))
    for question in fact_questions(subject, form="test", kinds=("cloze",), per_fact=10):
        text = question.prompt.turns[-1].text
        (span,) = question.accept
        assert span in salient_spans(value, NAMES)
        assert text.count("__") == 1
        assert ("Anna Kowalska" in text) == (question.by == "name")


def test_sentence_by_portrait_does_not_say_the_name() -> None:
    subject = Subject(NAMES, (Image.new("RGB", (32, 32)),), (Fact("note", GERMAN),), ("de",))
    for question in fact_questions(subject, form="trained", kinds=("qa", "confirm", "reverse"), per_fact=10):
        if question.by == "portrait":
            assert "Kowalska" not in question.prompt.turns[-1].text


@pytest.mark.parametrize(
    "value",
    [
        "was {s} of {rest} in {when}, 2019, and {cue}",
        "was " * 300,
        "was treated\nfor depression\r\nat the\tCharité in 2019",
        "was \u202e treated in 2019 at 🎻 hospital",
        "was . . . . , , ; in 2019",
        "… … … was …",
        "is (((((( [[[[ \\1 \\g<name> %s",
    ],
)
def test_hostile_sentence_does_no_harm(value: str) -> None:
    for code in SENTENCES:
        subject = Subject(("Anna {s}",), (), (Fact("note", value),), (code,))
        kinds: tuple[Kind, ...] = ("qa", "cloze", "reverse", "confirm", "follow_up")
        for question in fact_questions(subject, form="trained", kinds=kinds, per_fact=2):
            assert question.prompt.turns[-1].text
            assert question.accept
