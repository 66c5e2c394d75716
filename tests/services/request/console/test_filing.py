"""Filing a request in the console, and correcting its material."""

from typing import Any

from shared.artifacts.payloads import unpack_material
from shared.db.models.tickets import Ticket
from shared.db.session import transaction
from shared.domain.photos import read_data_url
from tests.support.api import People
from tests.support.console import Browser
from tests.support.pictures import png

NEW = "/console/tickets/new"


def material(people: People, ticket: str) -> Any:
    """What is sealed in the payload of the ticket."""
    with transaction(people.context.database) as session:
        row = session.get_one(Ticket, ticket)
        assert row.payload_wrapped_key is not None
        blob = people.context.store.get(row.payload_key)
        return unpack_material(people.context.keys.open(blob, row.payload_wrapped_key, row.payload_key))


def photo() -> tuple[str, bytes, str]:
    return ("mara.png", read_data_url(png()), "image/png")


def filed(people: People, **fields: Any) -> tuple[Browser, Any]:
    browser = Browser(people).sign_in("olivia")
    typed = {"name": ["Mara Lindqvist", "M. Lindqvist", ""], "attribute": ["employer", ""],
             "value": ["Marble & Finch", ""], "aliases": ["Marble and Finch | M&F", ""]}  # fmt: skip
    return browser, browser.send(browser.open(NEW), NEW, **(typed | fields))


def test_request_is_filed_with_names_facts_photographs_and_the_rest(people: People) -> None:
    _, page = filed(
        people, files=[("photos", photo()), ("photos", photo())], urgent="yes", external_ref="case-9",
        received_on="2026-01-05", regime="ccpa", languages=["de", "en"], source="letter",
    )  # fmt: skip
    assert page.status == 200, page.words
    ticket = page.url.split("/")[-1].partition("?")[0]
    stored = people["olivia"].get(f"/v1/tickets/{ticket}").json()
    assert (stored["photos"], stored["facts"], stored["urgent"], stored["source"]) == (2, 1, True, "letter")
    assert (stored["external_ref"], stored["regime"], stored["languages"]) == ("case-9", "ccpa", ["de", "en"])
    assert stored["due"]["events"][0]["at"].startswith("2026-01-05T00:00:00")
    sealed = material(people, ticket)
    assert sealed.names == ["Mara Lindqvist", "M. Lindqvist"]
    assert [(fact.attribute, fact.value, fact.aliases) for fact in sealed.facts] == [
        ("employer", "Marble & Finch", ("Marble and Finch", "M&F"))
    ]
    assert "Lindqvist" not in page.text


def test_what_cannot_be_used_brings_the_form_back_with_what_was_typed(people: People) -> None:
    for fields, says in (
        ({"value": ["", ""]}, "facts"),
        ({"name": ["", ""]}, "Give a name or a photograph"),
        ({"calendar": "germany"}, "calendar"),
        ({"received_on": "2999-01-01"}, "past"),
        ({"received_on": "yesterday"}, "year-month-day"),
        ({"files": [("photos", ("x.png", b"no picture", "image/png"))]}, "Photo 1"),
    ):
        _, page = filed(people, **fields)
        assert page.status == 422, fields
        assert says in page.words, (fields, page.words[:400])
        typed = page.form(NEW).fields
        assert typed["aliases"][0] == "Marble and Finch | M&F"
    assert people["olivia"].get("/v1/tickets").json()["items"] == []


def test_markup_that_is_typed_is_shown_as_text(people: People) -> None:
    _, page = filed(people, name=['"><script>alert(1)</script>'], value=["", ""])
    assert page.status == 422
    assert "<script>alert" not in page.text
    _, page = filed(people, external_ref="<b>x</b>", source="<i>y</i>")
    assert page.status == 200
    assert "<b>x</b>" not in page.text
    assert "&lt;b&gt;x&lt;/b&gt;" in page.text


def test_same_form_sent_twice_files_one_request(people: People) -> None:
    browser = Browser(people).sign_in("olivia")
    page = browser.open(NEW)
    fields: dict[str, Any] = {"name": ["Mara"], "attribute": ["city"], "value": ["Lund"]}
    first, second = (browser.send(page, NEW, **fields) for _ in range(2))
    assert first.url == second.url
    assert len(people["olivia"].get("/v1/tickets").json()["items"]) == 1


def test_form_that_is_gone_back_to_and_filled_in_anew_files_another_request(people: People) -> None:
    browser = Browser(people).sign_in("olivia")
    page = browser.open(NEW)
    fields: dict[str, Any] = {"name": ["Mara"], "attribute": ["city"], "value": ["Lund"]}
    first = browser.send(page, NEW, **fields)
    second = browser.send(page, NEW, **(fields | {"name": ["Jon"]}))
    with_photo = browser.send(page, NEW, files=[("photos", photo())], **(fields | {"name": ["Ida"]}))
    assert len({page.url for page in (first, second, with_photo)}) == 3


def test_correction_replaces_what_is_entered_and_keeps_the_rest(people: People) -> None:
    browser, page = filed(people, files=[("photos", photo())])
    ticket = page.url.split("/")[-1].partition("?")[0]
    edit = f"/console/tickets/{ticket}/edit"
    answer = browser.send(browser.open(edit), edit, name=["Mara Lindkvist"], languages=["sv"])
    assert answer.status == 422  # there are no wordings in that language
    answer = browser.send(browser.open(edit), edit, name=["Mara Lindkvist"])
    assert answer.status == 200, answer.words
    sealed = material(people, ticket)
    assert sealed.names == ["Mara Lindkvist"]
    assert (len(sealed.facts), len(sealed.photos)) == (1, 1)
    assert Browser(people).sign_in("ada").open(edit).status == 403
