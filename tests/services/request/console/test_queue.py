"""The queue: its order, views, pages and search, and that no name is in an address or a log."""

import logging
from typing import Any

import pytest
from sqlalchemy import text

from shared.db.session import transaction
from tests.support.api import People
from tests.support.console import Browser
from tests.support.databases import Databases

QUEUE = "/console/tickets"


def file(people: People, body: dict[str, Any], **changes: Any) -> str:
    """File a ticket as Olivia; returns its id."""
    answer = people["olivia"].post("/v1/tickets", body | changes)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def fact(value: str) -> list[dict[str, str]]:
    return [{"attribute": "city", "value": value}]


def test_what_is_due_first_stands_first_with_its_light_in_words(
    people: People, database: Databases, ticket_body: dict[str, Any]
) -> None:
    ids = [file(people, ticket_body, names=[name], facts=fact(name)) for name in ("Ida", "Jon", "Kaj", "Liv")]
    with transaction(database.engine("admin")) as session:
        for ticket, days in zip(ids, (20, -2, 3, 10), strict=True):
            session.execute(
                text("UPDATE ticket SET due_at = now() + make_interval(days => :days) WHERE id = :id"),
                {"id": ticket, "days": days},
            )
    page = Browser(people).sign_in("olivia").open(QUEUE)
    assert sorted(ids, key=page.text.index) == [ids[1], ids[2], ids[3], ids[0]]
    assert "overdue by 2 days" in page.words
    for words in ("■", "◆", "●"):  # a sign each, beside the colour
        assert words in page.words
    overdue = Browser(people).sign_in("olivia").open(f"{QUEUE}?view=overdue")
    assert ids[1] in overdue.words
    assert ids[0] not in overdue.words


def test_pages_follow_each_other_without_gap_or_repetition(people: People, ticket_body: dict[str, Any]) -> None:
    ids = {file(people, ticket_body, names=[f"N{n}"], facts=fact(f"C{n}"), photos=[]) for n in range(53)}
    browser = Browser(people).sign_in("adam")
    first = browser.open(QUEUE)
    second = browser.open(next(link for link in first.links if "cursor=" in link))
    seen = [[ticket for ticket in ids if ticket in page.text] for page in (first, second)]
    assert [len(page) for page in seen] == [50, 3]
    assert set(seen[0]) | set(seen[1]) == ids
    assert not any("cursor=" in link for link in second.links)


def test_filters_narrow_a_view_and_unknown_ones_are_refused(people: People, ticket_body: dict[str, Any]) -> None:
    urgent = file(people, ticket_body, urgent=True)
    other = file(people, ticket_body, names=["Jon"], facts=fact("Lund"), source="phone")
    browser = Browser(people).sign_in("adam")
    assert other not in browser.open(f"{QUEUE}?urgent=true").words
    assert urgent not in browser.open(f"{QUEUE}?source=phone").words
    people["olivia"].post(f"/v1/tickets/{other}/reject", {"code": "no_match", "note": "Nobody."})
    assert other in browser.open(f"{QUEUE}?state=rejected").words
    assert other not in browser.open(QUEUE).words
    for query in ("state=nonsense", "names=Jon", "cursor=x", "external_ref=case-1"):
        assert browser.open(f"{QUEUE}?{query}").status in (400, 422), query


def test_search_finds_by_name_reference_and_number_and_leaves_no_trace(
    people: People, ticket_body: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    mara = file(people, ticket_body, external_ref="case-77")
    file(people, ticket_body, names=["Jon Berg"], facts=fact("Lund"))
    browser = Browser(people).sign_in("olivia")
    page = browser.open(QUEUE)
    with caplog.at_level(logging.DEBUG):
        by_name = browser.send(page, f"{QUEUE}/search", text="mara  LINDQVIST")
        by_reference = browser.send(page, f"{QUEUE}/search", text="case-77")
        by_number = browser.send(page, f"{QUEUE}/search", text=f" {mara.lower()} ")
        nothing = browser.send(page, f"{QUEUE}/search", text="Nobody Known")
    assert mara in by_name.words
    assert mara in by_reference.words
    assert by_number.url == f"{QUEUE}/{mara}"
    assert "Nothing was found" in nothing.words
    for page in (by_name, by_reference, nothing):
        assert page.url == f"{QUEUE}/search"
    traces = caplog.text.casefold()
    for secret in ("lindqvist", "case-77", "nobody known"):
        assert secret not in traces


def test_search_is_for_those_who_handle_requests(people: People, ticket_body: dict[str, Any]) -> None:
    file(people, ticket_body)
    auditor = Browser(people).sign_in("ada")
    page = auditor.open(QUEUE)
    assert not page.offers(f"{QUEUE}/search")
    token = page.form("/console/sign-out").fields["csrf"]
    answer = auditor.post(f"{QUEUE}/search", {"csrf": token, "text": "Mara Lindqvist"})
    assert (answer.status, "T-" in answer.words) == (403, False)


def test_menu_has_only_what_its_reader_may_open(people: People) -> None:
    for name in ("olivia", "adam", "oscar", "ada", "rosa"):
        browser = Browser(people).sign_in(name)
        page = browser.open("/console")
        menu = [link for link in page.links if link.startswith("/console/")]
        assert menu, name
        for link in menu:
            assert browser.open(link).status == 200, (name, link)
    assert "/console/keys" not in Browser(people).sign_in("olivia").open("/console").links


def test_ticked_requests_are_assigned_together_and_a_changed_one_holds_up_no_other(
    people: People, ticket_body: dict[str, Any]
) -> None:
    ids = [file(people, ticket_body, names=[name], facts=fact(name)) for name in ("Ida", "Jon", "Kaj")]
    olivia = Browser(people).sign_in("olivia")
    page = olivia.open(QUEUE)
    fields = page.form(f"{QUEUE}/review").fields
    answer = olivia.post(f"{QUEUE}/assign", fields | {"ticket": ids[:2], "to": "adam"})
    assert (answer.url, "It is recorded who handles it." in answer.words) == (f"{QUEUE}?view=due&done=assign", True)
    mine = Browser(people).sign_in("adam").open(f"{QUEUE}?view=mine")
    assert [ticket in mine.text for ticket in ids] == [True, True, False]
    assert "Mine 2" in mine.words
    again = olivia.post(f"{QUEUE}/assign", fields | {"once": ["another"], "ticket": ids, "to": "me"})
    assert again.words.count("not assigned") == 2  # what the page had shown of them is outdated
    assert people["olivia"].get(f"/v1/tickets/{ids[2]}").json()["assigned_to"] == "olivia"
    assert olivia.post(f"{QUEUE}/assign", fields | {"ticket": [], "to": "me"}).status == 422
    fields = olivia.open(QUEUE).form(f"{QUEUE}/review").fields
    away = olivia.post(f"{QUEUE}/assign", fields | {"ticket": ids[2], "back": "//evil.example"})
    assert away.url.startswith("/console")


def test_request_is_taken_on_its_page_and_the_history_says_so(people: People, ticket_body: dict[str, Any]) -> None:
    ticket = file(people, ticket_body)
    adam = Browser(people).sign_in("adam")
    page = adam.open(f"{QUEUE}/{ticket}")
    assert "Assigned to: nobody" in page.words
    page = adam.send(page, f"{QUEUE}/{ticket}/assign", to="me")
    assert "Assigned to: adam" in page.words
    assert people["adam"].get(f"/v1/tickets/{ticket}").json()["events"][-1]["kind"] == "assigned"
    reader = Browser(people).sign_in("oscar").open(f"{QUEUE}/{ticket}")
    assert "Assigned to: adam" in reader.words
    assert not reader.offers(f"{QUEUE}/{ticket}/assign")


def test_saved_view_is_shown_by_its_name_to_its_person_and_its_address_has_an_id_alone(
    people: People, ticket_body: dict[str, Any]
) -> None:
    urgent = file(people, ticket_body, urgent=True, source="Mara's lawyer")
    other = file(people, ticket_body, names=["Jon"], facts=fact("Oulu"))
    olivia = Browser(people).sign_in("olivia")
    page = olivia.open(f"{QUEUE}?view=all&urgent=true&source=Mara%27s+lawyer")
    shown = olivia.send(page, "/console/views", name="Mara Lindqvist <b>")
    assert ("Mara" in shown.url, "saved=" in shown.url) == (False, True)
    assert (urgent in shown.text, other in shown.text) == (True, False)
    assert "The view is saved." in shown.words
    assert "Mara Lindqvist &lt;b&gt;" in shown.text
    link = next(link for link in olivia.open(QUEUE).links if "saved=" in link)
    assert urgent in olivia.open(link).text
    adam = Browser(people).sign_in("adam")
    assert not any("saved=" in each for each in adam.open(QUEUE).links)
    assert adam.open(link).status == 404
    view = link.rpartition("=")[2]
    ended = olivia.send(olivia.open(link), f"/console/views/{view}/end")
    assert "The view is deleted." in ended.words
    assert olivia.open(link).status == 404
