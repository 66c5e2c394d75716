"""English and German: nothing is left untranslated, and the choice of a language is kept."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from babel.messages.pofile import read_po

from services.request.console.language import FOLDER, choose_language
from services.request.console.messages import collect
from services.request.documents.catalogs import missing
from services.request.documents.language import language
from tests.support.api import People
from tests.support.console import Browser

FILES = sorted(FOLDER.glob("*.po"))
PLACE = re.compile(r"%\(\w+\)[sd]")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_sentence_is_translated_with_the_same_places_and_none_is_left_over(path: object) -> None:
    assert isinstance(path, type(FOLDER))
    assert missing(path, collect()) == [], "python -m services.request.console.messages adds them to the file"
    with path.open("rb") as file:
        catalog = read_po(file, locale=path.stem)
    known = {message.id if isinstance(message.id, str) else message.id[0] for message in collect()}
    for entry in catalog:
        if not entry.id:
            continue
        ids = (entry.id,) if isinstance(entry.id, str) else entry.id
        texts = (entry.string,) if isinstance(entry.string, str) else entry.string or ()
        assert ids[0] in known, f"nothing says {ids[0]!r} any more"
        for text in texts:
            assert set(PLACE.findall(text)) == set(PLACE.findall(ids[-1])), ids


def test_page_speaks_the_language_of_the_browser_until_another_is_chosen(people: People) -> None:
    browser = Browser(people, **{"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"})
    page = browser.open("/console/sign-in")
    assert "Anmelden" in page.words
    assert '<html lang="de">' in page.text
    page = browser.post("/console/language", page.form("/console/language").fields | {"language": "en"})
    assert "Sign in" in page.words
    browser.sign_in("olivia")
    page = browser.open("/console/tickets")
    assert "Open, by deadline" in page.words
    page = browser.send(page, "/console/language", language="de")
    assert (page.url, "Offen, nach Frist" in page.words) == ("/console/tickets", True)
    assert browser.send(page, "/console/language", language="xx").status == 200


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en"),
        ("fr", "en"),
        ("fr,de;q=0.1", "de"),
        ("de;q=0,en", "en"),
        ("DE-de", "de"),
        ("*", "en"),
        (";q=x,,", "en"),
    ],
)
def test_language_is_the_first_accepted_that_there_is(header: str, code: str) -> None:
    assert choose_language(None, header).code == code
    assert choose_language("nonsense", header).code == code


def test_moments_are_of_24_hours_with_their_zone() -> None:
    moment = datetime(2026, 7, 3, 21, 5, tzinfo=UTC)
    assert language("en", FOLDER).moment(moment, "Europe/Berlin") == "3 Jul 2026, 23:05 CEST"
    assert language("de", FOLDER).moment(moment, "Europe/Berlin") == "3. Juli 2026, 23:05 MESZ"
    assert language("en", FOLDER).moment(moment, "UTC") == "3 Jul 2026, 21:05 UTC"
    assert language("de", FOLDER).day(date(2026, 3, 1)) == "1. März 2026"
    assert language("de", FOLDER).span(timedelta(days=3)) == "3 Tage"
    assert language("de", FOLDER).percent(0.125) == "12,5 %"
