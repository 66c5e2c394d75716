"""Each law has its own reasons, provisions and rights: what one says, no other repeats."""

import re
from dataclasses import fields
from typing import get_args

import pytest
from babel.messages.pofile import read_po

from services.request.documents.catalogs import missing
from services.request.letters.drafts import FOLDER, KINDS, TITLES
from services.request.letters.laws import LAWS, LetterLaw, letter_law, refusal_reason
from services.request.letters.messages import collect
from services.request.tickets.schemas import RejectionCode
from shared.domain.regimes import REGIMES
from shared.errors import BadInput

PLACE = re.compile(r"%\(\w+\)s")


def texts_of(law: LetterLaw) -> str:
    own = [getattr(law, member.name) for member in fields(law) if member.name != "reasons"]
    said = [text for value in own for text in ((value,) if isinstance(value, str) else value)]
    return "\n".join([*said, *(f"{reason.provision} {reason.sentence}" for reason in law.reasons.values())])


def test_every_regime_has_a_law_and_every_reason_belongs_to_one() -> None:
    assert set(LAWS) == set(REGIMES)
    assert {code for law in LAWS.values() for code in law.reasons} == set(get_args(RejectionCode))


@pytest.mark.parametrize(
    ("regime", "own", "foreign"),
    [
        ("gdpr", ("Article 17(3)(a) GDPR", "supervisory authority", "Article 79 GDPR"),
         ("UK GDPR", "Information Commissioner", "California", "CCR")),
        ("uk_gdpr", ("Article 17(3)(a) UK GDPR", "Information Commissioner", "section 165", "Article 12A UK GDPR"),
         ("Article 77", "supervisory authority", "California", "CCR")),
        ("ccpa", ("1798.105(d)(4)", "1798.130(a)(2)", "11 CCR 7021", "California Privacy Protection Agency"),
         ("GDPR", "Article", "supervisory", "Information Commissioner")),
    ],
)  # fmt: skip
def test_law_cites_itself_and_no_other(regime: str, own: tuple[str, ...], foreign: tuple[str, ...]) -> None:
    said = texts_of(letter_law(regime))
    assert [phrase for phrase in own if phrase not in said] == []
    assert [phrase for phrase in foreign if phrase in said] == []
    if regime == "uk_gdpr":
        assert re.search(r"(?<!UK )GDPR", said) is None


@pytest.mark.parametrize(("regime", "code"), [("ccpa", "public_health"), ("ccpa", "archiving"), ("gdpr", "research")])
def test_reason_of_another_law_is_refused_with_those_that_there_are(regime: str, code: str) -> None:
    with pytest.raises(BadInput, match="no_match"):
        refusal_reason(regime, code)


def test_every_sentence_has_a_german_one_with_the_same_places() -> None:
    path = FOLDER / "languages" / "de.po"
    assert missing(path, collect()) == [], "python -m services.request.letters.messages adds them to the file"
    known = {message.id for message in collect()}
    with path.open("rb") as file:
        for entry in read_po(file, locale="de"):
            assert not entry.id or entry.id in known, f"nothing says {entry.id!r} any more"
            assert sorted(PLACE.findall(str(entry.id))) == sorted(PLACE.findall(str(entry.string))), entry.id


def test_every_kind_has_one_template_and_a_title() -> None:
    assert {path.stem for path in (FOLDER / "templates").glob("*.txt")} == {*KINDS, "letter"}
    assert set(TITLES) == set(KINDS)
