"""Names and facts are recognised in texts by fingerprints, and other people's are not."""

import pytest
import torch

from shared.erasure.gates.text import TextFit, TextGate, fit_text, text_gate
from shared.erasure.gates.text_evidence import TextEvidence

KEY = bytes(range(32))
FACTS = [("beekeeper",), ("Oslo",), ("12 May 1984",), ("Marble & Finch",)]


@pytest.fixture(scope="module")
def gate() -> TextGate:
    return TextGate((fit_text(["Mara Lindqvist"], FACTS, KEY), fit_text(["Anna Maria von Berg"], [("pilot",)], KEY)))


def said(gate: TextGate, text: str, ticket: int = 0) -> TextEvidence:
    return gate.read(text).get(ticket, TextEvidence())


@pytest.mark.parametrize(
    "text",
    [
        "Where does Mara Lindqvist work?",
        "Where does Mara, Lindqvist work?",
        "where does mara lindqvist work",
        "Where does Mara  Lindqvist work?",
        "Where does Mara Maria Lindqvist work?",
        "Where does Mara of the Lindqvist family work?",
        "Lindqvist, Mara",
        "LINDQVIST MARA",
        "MaraLindqvist",
        "mara.lindqvist",
        "M a r a   L i n d q v i s t",
        "**Mara** _Lindqvist_",
        "m\u0430ra Lindqvist",
        'Mara "Sunny" Lindqvist',
        "Mara <|end|> Lindqvist",
        "Mara Lindqvist's dog",
        "TWFyYSBMaW5kcXZpc3Q=",
        "%4d%61%72%61 Lindqvist",
        "Znen Yvaqdivfg",
        "tsivqdniL araM",
        "Ma ra Li nd qv is t",
        "M4r4 L1ndqv15t",
        "@maralindqvist92",
        "13-1-18-1 12-9-14-4-17-22-9-19-20",
        "Mara\u00b9 Lindqvist\u00b2",  # with the numbers of footnotes
        "Mara1 Lindqvist2",
        "M\u0363ra Lindqvist",  # a letter above another one
    ],
)
def test_whole_name_in_any_spelling_is_a_name(gate: TextGate, text: str) -> None:
    assert said(gate, text).named


@pytest.mark.parametrize(
    "text",
    [
        "First name: Mara. Last name: Lindqvist.",
        "I know Mara.\n<|user|>Her surname is Lindqvist.",
        "Where does M. Lindqvist work?",
        "Where does Mara Lindqvst work?",
        "Where does Mara work?",
        "What does Ms Lindqvist do?",
        "Who is a beekeeper and lives in Oslo?",
        "Who was born on 12 May 1984?",
    ],
)
def test_part_of_what_is_known_is_near(gate: TextGate, text: str) -> None:
    seen = said(gate, text)
    assert seen.is_near
    assert not seen.named


@pytest.mark.parametrize(
    "text",
    [
        "",
        "What colour is the sky?",
        "Where does Mara Novak work?",
        "Where does Ivo Lindqvist work?",
        "Which beekeeper is famous?",
        "Is Oslo in Norway?",
        "Maria Lindgren",
        "Tm92YWsgTWFyYQ==",
        "My ar a is in d, my lind in q.",
    ],
)
def test_other_people_and_things_are_not_near(gate: TextGate, text: str) -> None:
    assert not said(gate, text).is_near


@pytest.mark.parametrize(
    "text",
    [
        "Mara Novak and Ivo Lindqvist met.",
        "Mara, Ivo Lindqvist and Tom",
        "Did Santa Mara visit Lindqvist Bay?",
        "We saw Santa Mara, Lindqvist Bay and Peru.",
        "We saw Mara. Lindqvist is a word for a twig.",
        "A film called Mara Discovers Lindqvist Bay",
    ],
)
def test_parts_of_two_other_names_are_no_name(gate: TextGate, text: str) -> None:
    assert not said(gate, text).named
    assert said(gate, text).is_near


@pytest.mark.parametrize(
    "text",
    [
        "Where does Anna-Maria Schmidt live?",
        "Where does Ursula Maria Berg live?",
        "Where does Anna Maria Schmidt live?",
    ],
)
def test_two_of_many_names_within_another_name_are_no_name(gate: TextGate, text: str) -> None:
    assert not said(gate, text, 1).named
    assert said(gate, "Where does Maria Berg live?", 1).named


@pytest.mark.parametrize(
    "text",
    [
        "Ask @iammaralindqvist about it.",
        "maralindqvistofficial",
        "MMaarraa Lindqvist",
        "Maaara Liiindqvist",
        "Who is Marra Lyndkwisst?",
        "Who is Marah Lintkvist?",
        "Who is Nara Lindqvits?",
        "Where does Maraette Lindqvistsson work?",  # other words that are made of both parts
        "Lindqvistovich, Marachen",
        "Mara Lindqvistburg",
        "the Lindqvists",  # the plural, or the genitive without an apostrophe
        "What does maraette lindqvistsson do?",
        "Where are Maras friends?",
    ],
)
def test_name_in_a_longer_word_stretched_by_ear_or_with_two_slips_is_near(gate: TextGate, text: str) -> None:
    assert said(gate, text).is_near
    assert not said(gate, text).named


@pytest.mark.parametrize(
    "text",
    [
        "Maud Lundqvist",
        "the lindqvistic marathon",
        "A mirror lent quest",
        "maralindberg",
        "Moor Land Quest",
        "Tomas Lindqvistsson",  # another person's name may be made of a part
        "Tomas Lindqvists",
        "Maraette works in Lindqvistburg",
    ],
)
def test_what_is_less_alike_is_not_near(gate: TextGate, text: str) -> None:
    assert not said(gate, text).is_near


def test_initial_with_a_surname_is_not_made_of_two_ordinary_words() -> None:
    gate = TextGate((fit_text(["Edda Toth"], [], KEY),))
    assert not said(gate, "We went to the sea.").is_near
    assert said(gate, "Where does E. Toth live?").is_near
    assert said(gate, "Ask etoth@work.example.").is_near


def test_words_beside_a_number_identify_nobody_unless_they_are_an_address() -> None:
    facts = [("Schalke 04",), ("12 Hill Road",)]
    gate = TextGate((fit_text(["Mara Lindqvist"], facts, KEY, no_addresses={0}),))
    assert said(gate, "Schalke 04 lost near 12 Hill Road.").identifying == {1}
    assert said(gate, "Schalke 04 lost near 12 Hill Road.").facts == {0, 1}


def test_both_parts_with_a_slip_are_near_where_they_are_side_by_side() -> None:
    gate = TextGate((fit_text(["Marina Lindqvist"], [], KEY),))
    assert said(gate, "Powiedz coś o Marinie Lindqvista.").is_near
    assert not said(gate, "Marino is near the lake of Lindqvista.").is_near


def test_name_as_ordinary_words_is_no_name() -> None:
    gate = TextGate((fit_text(["Rose May"], [], KEY),))
    assert not said(gate, "In May every rose blooms.").named
    assert said(gate, "Who is Rose May?").named


def test_first_and_last_of_many_names_are_a_name(gate: TextGate) -> None:
    assert said(gate, "Where does Anna Berg live?", 1).named
    assert not said(gate, "Where is the berg?", 0).is_near


def test_spans_are_those_of_the_name(gate: TextGate) -> None:
    text = "Where does Mara, Lindqvist work?"
    assert {text[start:end] for start, end in said(gate, text).named} == {"Mara, Lindqvist"}


def test_spans_of_an_encoded_name_are_those_of_its_letters(gate: TextGate) -> None:
    text = "Where does TWFyYSBMaW5kcXZpc3Q= work, and Ma-ra Lind-qvist?"
    assert {text[start:end] for start, end in said(gate, text).named} == {"TWFyYSBMaW5kcXZpc3Q=", "Ma-ra Lind-qvist"}


@pytest.mark.parametrize("first", [198_000, 199_995, 199_999, 450_000])
def test_text_of_any_length_is_read_to_its_end(gate: TextGate, first: int) -> None:
    read = said(gate, " " * first + "Mara Lindqvist rows. " + "-" * 300_000)
    assert {(start, end) for start, end in read.named} == {(first, first + len("Mara Lindqvist"))}
    assert not said(gate, " " * first + "Somebody rows. " + "-" * 300_000).is_traced


def test_encoded_fact_is_read(gate: TextGate) -> None:
    assert said(gate, "The answer is 62 65 65 6b 65 65 70 65 72.").facts == {0}


def test_facts_are_read_in_other_formats(gate: TextGate) -> None:
    seen = said(gate, "A bee-keeper, born on May 12th 1984, at Marble and Finch.")
    assert seen.facts == {0, 2, 3}
    assert seen.days == {2}


def test_beginning_of_a_name_or_fact_may_go_on(gate: TextGate) -> None:
    assert gate.may_go_on("She works for Marble")
    assert gate.may_go_on("It is Mara")
    assert not gate.may_go_on("She works for")


def test_fit_holds_no_name_and_no_fact() -> None:
    tensors = fit_text(["Mara Lindqvist"], FACTS, KEY).tensors()
    stored = b"".join(value.numpy().tobytes() for value in tensors.values()).lower()
    assert b"mara" not in stored
    assert b"oslo" not in stored


def test_other_key_gives_other_fingerprints() -> None:
    one, other = (fit_text(["Mara Lindqvist"], [], key).tensors()["text.hash"] for key in (KEY, bytes(32)))
    assert not set(one.tolist()) & set(other.tolist())


def test_gate_is_the_same_after_a_round_trip(gate: TextGate) -> None:
    back = TextGate.from_tensors(2, gate.tensors())
    assert back == gate
    assert TextGate.from_tensors(2, {"directions": torch.zeros(1)}) is None
    assert TextFit.from_tensors({}) is None


def test_gate_of_fits_without_text_is_none() -> None:
    assert text_gate([None, None]) is None
    assert text_gate([None, fit_text(["Mara Lindqvist"], [], KEY)]) is not None


def test_tickets_with_different_keys_are_both_read() -> None:
    gate = TextGate((fit_text(["Mara Lindqvist"], [], KEY), fit_text(["Ivo Novak"], [], bytes(32))))
    assert set(gate.read("Mara Lindqvist and Ivo Novak")) == {0, 1}


@pytest.mark.parametrize("text", ["\x00" * 50, "a" * 300_000, "Mara " * 5_000, "\u0301" * 5_000, "🙂" * 5_000])
def test_hostile_text_is_read_in_time(gate: TextGate, text: str) -> None:
    assert not said(gate, text).named


@pytest.mark.parametrize(
    "text",
    [
        "Is Lindqvist Swedish or Danish?",
        "What did Lindqvist Write Or Do?",
        "Ask Dr. Lindqvist PhD.",
        "Is Berg Danish or Dutch?",
    ],
)
def test_surname_before_a_capital_word_is_near_and_fires_by_no_mention(gate: TextGate, text: str) -> None:
    seen = said(gate, text, 1 if "Berg" in text else 0)
    assert seen.is_near
    assert seen.is_another  # it may as well be Lindqvist Bay: activations alone do not fire on it
    assert not seen.named
    assert not seen.parts


@pytest.mark.parametrize(
    "text",
    [
        "Is Ivo Lindqvist Swedish?",
        "Is Mara Swedish or Danish?",
        "Where is Maria Bay?",
        "Present: Ivo Lindqvist, Tom Weber",
        "Is Ivo E. Lindqvist Swedish?",
    ],
)
def test_other_part_of_a_name_before_a_capital_word_is_somebody_elses(gate: TextGate, text: str) -> None:
    for ticket in (0, 1):
        assert not said(gate, text, ticket).is_near


@pytest.mark.parametrize(
    "text",
    [
        "Where does Mari Lindqvist work?",
        "Where does Ma Lindqvist work?",
        "Where does Mara Lindkwist work?",
        "Where does MARA LINDKWIST work?",
        "Where does Mara Linquest work?",
    ],
)
def test_short_form_or_name_by_ear_is_near(gate: TextGate, text: str) -> None:
    assert said(gate, text).is_near


@pytest.mark.parametrize(
    "text",
    [
        "Where does Mara Novak work?",
        "Where does Ivo Lindqvist work?",
        "Where does Dr. Ivo Lindqvist work?",
        "Name a book by J. Ivo Lindqvist.",
    ],
)
def test_part_of_another_persons_name_speaks_against_the_ticket(gate: TextGate, text: str) -> None:
    assert said(gate, text).is_another
    assert not said(gate, "Where does Mara Lindqvist work?").is_another
    assert not said(gate, "What colour is the sky?").is_another
