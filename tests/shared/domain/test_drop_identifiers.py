"""The standard forms and hashes of DROP are those of its specification, whose examples these are."""

import pytest

from shared.domain import drop_identifiers as drop
from shared.errors import BadInput

PUBLISHED = [
    (drop.standard_phone, "+1(415)555-9317", "4155559317", "vGM7y5n+hBXRSEAklhHDPCbysyNgYTmXdMcagGUOY8E="),
    (drop.standard_phone, "+84(90)123 4567", "4901234567", "ptzVkgbv9DonwvPCHmXmJ2SEOaolSh37z3ZzY/Gmm+U="),
    (drop.standard_phone, "+354(123)4567", "3541234567", "Btrzydf5K6ALAKKXJGFHSx7u5bDzHC9WlVYtpq1n2rY="),
    (drop.standard_email, "Anna.Smith@Domain.com", "anna.smith@domain.com",
     "KA18MT/ph6IHYjzT9zwETySDQyvSh87YuoSBpOQtkhE="),
    (drop.standard_name, "Juan Pablo", "juanpablo", "91hIbrbzNeqHs3o81O5yNrXUj7wDd2shvZ6THKi9qz8="),
    (drop.standard_date, "1985-07-04", "19850704", "IWi7qxOAbBJe0fNciDj76Eg84gmj40rB7aNMK/VnFOI="),
    (drop.standard_zip, "91790-3771", "91790", "2FPZucR4x7U8KlM+SFAX4LPGhwNz/PIZUCSUdDh0o/s="),
    (drop.standard_zip, "M1B 1A1", "m1b1a", "n8L9q8mVeT6Xt9/EeUNiTukGDrkbPJ3DvOEx14uElxk="),
    (drop.standard_zip, "00712345", "71234", "aeNUYKh7Xw5sqpxSbSP9eOHsj6iXewbUyavv89DIuhQ="),
    (drop.standard_zip, "00300-9999", "300", "mDvWFLta/s5as7YCP3EUfNe2vCMU+dJ690IlQcZVg4k="),
    (drop.standard_vin, "1HGCM82633A004352", "1hgcm82633a004352", "iNswy1m+0VSt8jAfFrvaiQ1R/0HAbgSwNGkwqo6QBss="),
]  # fmt: skip


@pytest.mark.parametrize(("standard", "written", "form", "hashed"), PUBLISHED)
def test_published_examples(standard: object, written: str, form: str, hashed: str) -> None:
    assert callable(standard)
    assert standard(written) == form
    assert drop.hash_text(form) == hashed


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("O'Brien", "obrien"), ("José", "jose"), ("Müller", "muller"), ("Straße", "strasse"), ("Æther", "aether"),
        ("Łukasz", "lukasz"), ("Ŋambi", "nambi"), ("İzmir", "izmir"), ("Mary-Jane", "maryjane"),
        ("  van  der  Berg ", "vanderberg"), ("Ёлкина", "yolkina"), ("Щербакова", "shcherbakova"),
        ("Θεοδώρου", "theodoroy"), ("ЪЬЫ", "y"), ("田中", "田中"), ("محمد", "محمد"), ("김", "김"),
        ("Jose\u0301", "jose"),
    ],
)  # fmt: skip
def test_names_are_written_in_ascii_where_the_alphabet_is_latin_greek_or_cyrillic(written: str, form: str) -> None:
    assert drop.standard_name(written) == form


def test_combined_identifiers_are_hashed_part_by_part() -> None:
    found = drop.hashes_of(
        {"first_name": ["Danielle"], "last_name": ["Johnson"], "date_of_birth": ["1985-07-04"], "zip": ["91790"]}
    )
    assert found == {"NDZ": {"PQOfn1RffEKmqMmNAzDKKaoZCwxWbQZkQzPWmQo9REA="}}
    found = drop.hashes_of({"first_name": ["Eve"], "last_name": ["Genesis"], "vin": ["1HGCM82633A004352"]})
    assert found == {"NameVIN": {"rtnDuXIe63jXYQQXW5r07GJ7lSsrib8+46QuKFwkOmk="}}


def test_full_name_is_divided_at_each_blank() -> None:
    rest = {"date_of_birth": ["1985-07-04"], "zip": ["91790"]}
    apart = {"first_name": ["Juan Pablo"], "last_name": ["Martinez"], **rest}
    without_middle = {"first_name": ["Juan"], "last_name": ["Martinez"], **rest}
    found = drop.hashes_of(rest, ["Juan Pablo Martinez"])["NDZ"]  # type: ignore[arg-type]
    assert drop.hashes_of(apart)["NDZ"] | drop.hashes_of(without_middle)["NDZ"] <= found  # type: ignore[arg-type]
    assert drop.hashes_of(rest, ["Prince"]) == {}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("maid", "abc"), ("vin", "1HGCM82633A00435"), ("ctvid", "1234567"), ("date_of_birth", "04/07/1985"),
        ("date_of_birth", "1985-02-30"), ("phone", "none"), ("zip", "0000"), ("first_name", "'-"), ("email", "  "),
    ],
)  # fmt: skip
def test_identifier_without_a_standard_form_is_refused_and_not_repeated(kind: str, text: str) -> None:
    with pytest.raises(BadInput) as refused:
        drop.hashes_of({kind: [text]})  # type: ignore[dict-item]
    assert kind in refused.value.detail
    assert "1985" not in refused.value.detail


def test_too_many_combinations_are_refused() -> None:
    many = [f"Name{number}" for number in range(101)]
    with pytest.raises(BadInput):
        drop.hashes_of({"first_name": many, "last_name": many, "vin": ["1HGCM82633A004352"]})
