"""What an attribute is about: names that were not listed, in six languages, and the shapes of values.

The rates are floors below what was measured. Of the 89 names that were held out while the rules were written, 88 were
understood; of 86 names of fields that others wrote, 76 before any of them was looked at and all since.
"""

import hashlib
import tomllib
from pathlib import Path

import pytest

from shared.probes.attribute_types import (
    ATTRIBUTE_TYPES,
    LANGUAGES,
    NOUNS,
    AttributeType,
    as_words,
    attribute_type,
    noun,
    shape,
    understand,
)

DATA = Path(__file__).parent / "data"


def labelled(name: str) -> list[tuple[str, str, set[str]]]:
    """(attribute, value, types that are right) of each row of a file."""
    rows = [line.split("\t") for line in (DATA / name).read_text().splitlines() if not line.startswith("#")]
    return [(attribute, value, set(types.split("|"))) for attribute, value, types in rows]


def share_understood(rows: list[tuple[str, str, set[str]]]) -> float:
    return sum(attribute_type(attribute, value) in types for attribute, value, types in rows) / len(rows)


def is_held_out(attribute: str) -> bool:
    return int(hashlib.sha256(attribute.encode()).hexdigest()[0], 16) % 2 == 1


def test_labels_are_types() -> None:
    rows = labelled("attribute_names.tsv") + labelled("attribute_names_outside.tsv")
    assert len(rows) >= 240
    assert {kind for _, _, types in rows for kind in types} <= set(ATTRIBUTE_TYPES)


def test_held_out_names_are_understood() -> None:
    rows = [row for row in labelled("attribute_names.tsv") if is_held_out(row[0])]
    assert len(rows) >= 60
    assert share_understood(rows) >= 0.95


def test_names_that_rules_were_written_with_are_understood() -> None:
    rows = [row for row in labelled("attribute_names.tsv") if not is_held_out(row[0])]
    assert len(rows) >= 60
    assert share_understood(rows) >= 0.95


def test_names_of_other_peoples_fields_are_understood() -> None:
    assert share_understood(labelled("attribute_names_outside.tsv")) >= 0.95


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        ("birth_date", "birth date"),
        ("birthDate", "birth date"),
        ("taxID", "tax ID"),
        ("criminal record", "criminal record"),
        ("Arbeitgeber seit 2019", "Arbeitgeber seit 2019"),
        ("  home   address ", "home address"),
        ("_", "detail"),
        ("", "detail"),
    ],
)
def test_name_is_read_as_words(attribute: str, words: str) -> None:
    assert as_words(attribute) == words


def test_what_a_preposition_adds_does_not_change_the_thing() -> None:
    for attribute in ("employer since 2019", "Arbeitgeber seit 2019", "empleador desde 2019", "pracodawca od 2019"):
        understood = understand(attribute)
        assert (understood.thing, understood.type, understood.qualified) == ("employer", "employer", True)


@pytest.mark.parametrize(
    ("attribute", "value", "expected"),
    [
        ("born", "Kraków", "birth_date"),
        ("geboren", "12. März 1984", "birth_date"),
        ("nato a", "Bari", "birthplace"),
        ("home", "Oslo", "residence"),
        ("home", "12 Harbour Road, Cork", "address"),
        ("zzz", "ana@example.es", "contact"),
        ("zzz", "+49 151 1234567", "contact"),
        ("zzz", "www.example.org", "contact"),
        ("zzz", "DE89 3704 0044 0532 0130 00", "identifier"),
        ("zzz", "12 March 1984", "date"),
        ("zzz", "1984-03-12", "date"),
        ("zzz", "12 marzo 1984", "date"),
        ("zzz", "54,000 USD", "money"),
        ("zzz", "1.800 euros", "money"),
        ("zzz", "Hauptstr. 5, 79098 Freiburg", "address"),
        ("zzz", "ul. Długa 5, Kraków", "address"),
        ("zzz", "82 kg", "number"),
        ("zzz", "something else", "text"),
    ],
)
def test_value_decides_where_the_name_does_not(attribute: str, value: str, expected: AttributeType) -> None:
    assert attribute_type(attribute, value) == expected


@pytest.mark.parametrize("attribute", ["dog's name", "name of the landlord", "nom du chien", "imię psa"])
def test_name_of_something_else_is_not_the_persons(attribute: str) -> None:
    """What the person is called is asked for by portrait only, so nothing else may be taken for it."""
    assert attribute_type(attribute) != "name"
    assert attribute_type("full name") == attribute_type("nom complet") == "name"


@pytest.mark.parametrize(
    "value", ["", " ", "2019", "a" * 100_000, "{s}", "\n\n", "١٢٣", "🎻", "\u202eabc", "1" * 5000, "(" * 5000]
)
def test_odd_value_has_no_shape_and_does_not_stall(value: str) -> None:
    assert shape(value) is None
    assert attribute_type("note", value) == "text"


@pytest.mark.parametrize("attribute", ["", "?", "🎻", "имя", "出生日期", "x" * 10_000, "{noun}", "de de de", "\u202e"])
def test_odd_name_is_free_text_or_a_type(attribute: str) -> None:
    assert attribute_type(attribute) in ATTRIBUTE_TYPES
    assert understand(attribute).words


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_thing_has_a_noun_in_every_language(code: str) -> None:
    """And the noun, written by itself, is understood as that thing."""
    for thing in things():
        word = noun(thing, code)
        assert understand(word.bare).thing == thing
        if code in ("de", "fr", "es", "it", "pl"):
            assert word.definite != word.bare, "The article is missing."


def things() -> list[str]:
    """The things of the English file."""
    table = tomllib.loads((NOUNS / "en.toml").read_text())
    return [thing for section in table.values() if isinstance(section, dict) for thing in section if thing != "words"]
