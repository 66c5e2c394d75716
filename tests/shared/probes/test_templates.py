"""Held-out wordings are never used for fitting, and every wording asks for the right thing."""

import random
import re
from itertools import product

import pytest

from shared.probes import templates

WHO = "Olga Fontaine"


def all_trained(attribute: str) -> set[str]:
    """Every question that training can compose for `attribute`, in full."""
    cores = (*templates.GENERIC, *templates.TRAINED[attribute])
    return {
        opening + (text := core.format(noun=noun, s=WHO))[0].upper() + text[1:]
        for opening, core, noun in product(templates.OPENINGS, cores, templates.NOUNS[attribute])
    }


@pytest.mark.parametrize("attribute", templates.TRAINED)
def test_held_out_sentences_are_never_composed(attribute: str) -> None:
    """No held-out question can be composed in training, not even behind an opening or in other case."""
    trained = {sentence.casefold() for sentence in all_trained(attribute)}
    for core in templates.TEST[attribute]:
        for noun in templates.NOUNS[attribute]:
            held_out = core.format(noun=noun, s=WHO).casefold()
            assert not any(sentence.endswith(held_out) for sentence in trained)


@pytest.mark.parametrize("attribute", templates.TRAINED)
def test_every_attribute_has_enough_wordings(attribute: str) -> None:
    """At least ten wordings are fitted and three different ones kept; the compositions are many more."""
    assert len(set(templates.GENERIC + templates.TRAINED[attribute])) >= 10
    assert len(set(templates.TEST[attribute])) == 3
    assert len(all_trained(attribute)) >= 70


@pytest.mark.parametrize("attribute", templates.TRAINED)
def test_forms_draw_from_their_own_sentences(attribute: str) -> None:
    """What `question` draws is a composition in one form and a kept sentence in the other, and covers both."""
    rng = random.Random(1)
    composed = all_trained(attribute)
    kept = {core.format(noun=noun, s=WHO) for core in templates.TEST[attribute] for noun in templates.NOUNS[attribute]}
    drawn = {templates.question(attribute, WHO, "trained", rng) for _ in range(400)}
    assert drawn <= composed
    assert len(drawn) > 50
    assert {templates.question(attribute, WHO, "test", rng) for _ in range(100)} == kept


@pytest.mark.parametrize("form", ["trained", "test"])
@pytest.mark.parametrize("attribute", [*templates.TRAINED, "blood_type"])
def test_every_sentence_names_its_subject(attribute: str, form: templates.Form) -> None:
    """Apart from "Who do we see here?", every sentence holds the subject, ends as one and leaves no brace open."""
    rng = random.Random(2)
    for _ in range(60):
        for text in (
            templates.question(attribute, WHO, form, rng),
            templates.cloze(attribute, WHO, form, rng),
        ):
            assert WHO in text or text.endswith("Who do we see here?")
            assert not re.search(r"[{}]", text)
            assert text[-1] in ".?"
            assert text[0].isupper()


def test_unforeseen_attribute_is_asked_in_plain_words() -> None:
    """An attribute without wordings of its own is read as words, in both forms."""
    rng = random.Random(3)
    assert "blood type" in templates.question("blood_type", WHO, "trained", rng)
    assert templates.question("blood_type", WHO, "test", rng) == "Please say what the blood type of Olga Fontaine is."


@pytest.mark.parametrize("kept", [templates.CLOZE, templates.REVERSE, templates.CHOICE, *templates.VISIBLE.values()])
def test_every_kind_of_question_has_held_out_sentences(kept: dict[templates.Form, tuple[str, ...]]) -> None:
    """Cloze, reverse, multiple choice and visible questions have held-out sentences of their own."""
    assert kept["test"]
    assert not set(kept["trained"]) & set(kept["test"])


def test_options_are_lettered_in_order() -> None:
    """A multiple-choice question lists its options as A) to D), and the published form asks for the letter."""
    text = templates.choice("Where?", ("Oslo", "Porto", "Ghent", "Turin"), "test", random.Random(0))
    assert text == "Where? Choose one: A) Oslo B) Porto C) Ghent D) Turin"
    assert templates.by_letter(text).endswith("D) Turin Answer with one letter.")
