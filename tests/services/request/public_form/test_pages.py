"""A person files a request by the public form, and nobody learns anything by it."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from services.request.public_form import links, pages
from services.request.retention import service as retention
from shared.db.session import transaction
from tests.services.request.public_form.conftest import MARA, START, PublicForm, photo, text_of
from tests.support.api import People
from tests.support.console import Browser
from tests.support.databases import Databases
from tests.support.openapi import openapi_document


def scalar(database: Databases, statement: str) -> Any:
    with transaction(database.engine("admin")) as session:
        return session.execute(text(statement)).scalar_one()


def test_request_becomes_a_ticket_that_waits_for_an_identity_check(form: PublicForm) -> None:
    browser = form.browser()
    page = form.filed(browser, files=[photo()], law="ccpa")
    assert page.status == 200, page.words
    assert "make sure that it is you" in page.words
    assert "We answer by" not in page.words  # the clock of a duplicate stands still, that of the CCPA does not
    (ticket,) = form.tickets()
    shown = form.people["olivia"].get(f"/v1/tickets/{ticket['id']}").json()
    assert (shown["state"], shown["identity"], shown["source"]) == ("identity_pending", "doubted", "public-form")
    assert (shown["names"], shown["photos"], shown["facts"], shown["regime"]) == (1, 1, 1, "ccpa")
    refused = form.people["adam"].post(f"/v1/tickets/{ticket['id']}/approve", {"names": ["Mara Lindqvist"]})
    assert refused.status_code == 409
    checked = form.people["olivia"].post(
        f"/v1/tickets/{ticket['id']}/identity", {"outcome": "verified", "method": "email_link", "note": "Compared."}
    )
    assert checked.status_code == 200, checked.text
    assert "working at your request" in browser.open(page.url).words
    assert "We answer by" in browser.open(page.url).words
    rejected = form.people["adam"].post(f"/v1/tickets/{ticket['id']}/reject", {"code": "no_match", "note": "Nobody."})
    assert rejected.status_code == 200
    assert "decided about your request" in browser.open(page.url).words
    assert "Mara" not in browser.open(page.url).text


def test_officer_sees_the_address_on_record_and_it_goes_with_the_payload(form: PublicForm, database: Databases) -> None:
    form.filed(form.browser())
    (ticket,) = form.tickets()
    path = f"/v1/tickets/{ticket['id']}/contact"
    shown = form.people["olivia"].post(path, {"reason": "To answer."})
    assert shown.json()["contact"] == {"email": MARA}
    kinds = [event["kind"] for event in form.people["olivia"].get(path.removesuffix("/contact")).json()["events"]]
    assert "contact.shown" in kinds
    assert form.people["oscar"].post(path, {"reason": "x"}).status_code == 403
    olivia = Browser(form.people).sign_in("olivia")
    console = f"/console/tickets/{ticket['id']}"
    page = olivia.send(olivia.open(console), f"{console}/contact", reason="To write to her.")
    assert MARA in page.words
    assert f"{console}/contact" not in Browser(form.people).sign_in("ada").open(console).text
    assert scalar(database, "SELECT count(*) FROM form_request WHERE sealed IS NOT NULL") == 0
    with transaction(database.engine("admin")) as session:
        session.execute(text("ALTER TABLE ticket DISABLE TRIGGER USER"))
        session.execute(text("ALTER TABLE ticket ENABLE TRIGGER contact_destroyed"))
        session.execute(text("UPDATE ticket SET payload_wrapped_key = NULL"))
    assert form.people["olivia"].post(path, {"reason": "To answer."}).status_code == 404
    assert scalar(database, "SELECT count(*) FROM retired_key WHERE object = 'contact'") == 1
    with transaction(form.people.control.database) as session:
        retention.destroy_retired_keys(session, form.people.context.keys)
    assert scalar(database, "SELECT count(*) FROM log_leaf WHERE kind = 'contact.destroyed'") == 1


def test_five_wrong_codes_end_a_form_for_the_right_one_too(form: PublicForm) -> None:
    browser = form.browser()
    page = form.begun(browser)
    code = form.code()
    for left in (4, 3, 2, 1, 0):
        page = browser.post(f"{page.url.removesuffix('/code')}/code", {"code": "0000 0000"})
        assert page.status == 422
        assert ("You have" in page.words) == (left > 0)
    answer = browser.post(page.url, {"code": code})
    assert (answer.status, "too often" in answer.words) == (422, True)


def test_same_page_whether_or_not_somebody_is_known(form: PublicForm) -> None:
    """Neither an earlier request of the person nor a full mailbox of codes changes an answer."""
    facts = [{"attribute": "employer", "value": "Marble & Finch"}]
    earlier = form.people["olivia"].post("/v1/tickets", {"names": ["Mara Lindqvist"], "facts": facts}).json()["id"]
    browser = form.browser()
    known = form.filed(browser)
    unknown = form.filed(browser, name=["Ida Borg", "", ""])
    states = {item["state"] for item in form.tickets() if item["id"] != earlier}
    assert states == {"duplicate", "identity_pending"}
    assert known.words.replace(known.url, "") == unknown.words.replace(unknown.url, "")
    form.people["adam"].post(f"/v1/tickets/{earlier}/approve", {"names": ["Mara Lindqvist"], "ground": "objection"})
    assert browser.open(known.url).words == browser.open(unknown.url).words
    pages = [form.begun(browser, address) for address in ("new@example.com", MARA, MARA)]
    assert len({page.words for page in pages}) == 1
    assert [page.status for page in pages] == [200, 200, 200]
    addressees = [mail["To"] for mail in form.mails()]
    assert addressees.count(MARA) == 3  # of four: the last was one too many


def test_answers_take_whole_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether filing took long or not, what is left until the answer fills the step."""
    monkeypatch.setattr(pages, "STEP_S", 1.0)
    for taken_s in (0.15, 0.21, 0.999, 1.2):
        left_s = pages._left_of_step(taken_s)
        assert 0 <= left_s < 1
        assert round(taken_s + left_s, 6) % 1.0 == 0


def test_address_with_many_undecided_requests_gets_no_code(form: PublicForm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.request.public_form.service.UNDECIDED_OF_ADDRESS", 1)
    form.filed(form.browser())
    page = form.begun(form.browser())
    assert page.status == 200
    assert len(form.mails()) == 1


@pytest.mark.parametrize(
    "address",
    ["", "mara", "a@localhost", "a@b.c\nBcc: x@y.zz", "a b@example.com", "<a@example.com>", "a@ex..com", "ä@ö.de"],
)
def test_what_is_no_address_is_refused_and_not_repeated(form: PublicForm, address: str) -> None:
    browser = form.browser()
    page = browser.send(browser.open(START), START, email=address)
    assert page.status == 422
    assert "not an e-mail address" in page.words
    assert form.mails() == []


def test_full_form_takes_no_more(open_form: Callable[..., PublicForm]) -> None:
    form = open_form(most_open=2)
    browser = form.browser()
    for number in range(2):
        assert form.begun(browser, f"{number}@example.com").status == 200
    full = form.begun(browser, "3@example.com")
    assert (full.status, "No more requests" in full.words) == (503, True)
    form = open_form(most_waiting=1)
    second = form.proved(browser := form.browser(), "4@example.com")
    form.filed(browser, "5@example.com")
    answer = browser.send(second, f"{second.url}/file", name=["Ida Borg"])
    assert (answer.status, len(form.tickets())) == (503, 1)


def test_network_addresses_and_all_together_are_limited(open_form: Callable[..., PublicForm]) -> None:
    form = open_form(rate="3/hour")
    browser = form.browser()
    statuses = [form.begun(browser, f"{number}@example.com").status for number in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    form = open_form(total="2/hour")
    statuses = [form.begun(form.browser(), f"x{number}@example.com").status for number in range(3)]
    assert statuses == [200, 200, 429]


def test_forged_links_and_large_bodies_are_refused_before_anything_is_read(form: PublicForm) -> None:
    browser = form.browser()
    page = form.begun(browser)
    for path in (f"{START}/x", f"{START}/{'A' * 43}", page.url[:-1] + ("A" if page.url[-1] != "A" else "B")):
        assert browser.open(path).status == 404
        assert browser.post(f"{path}/code", {"code": "1"}).status == 404
    taken: list[int] = []

    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            taken.append(1)
            yield bytes(2**20)

    head = {"Content-Length": str(20 * 2**20), "Content-Type": "multipart/form-data; boundary=x"}
    answer = browser.client.post(f"{page.url}/file", content=pieces(), headers=head)
    assert answer.status_code == 409  # the address is not proved
    assert (
        browser.client.post(f"{page.url}/file", content=b"", headers={"Content-Length": str(2**26)}).status_code == 413
    )
    assert browser.client.post(START, content=b"", headers={"Content-Length": str(2**20)}).status_code == 413


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": ["", "", ""]}, "Give a name or a photograph"),
        ({"name": ["x", "", ""]}, "fewer than 2 letters"),
        ({"about": ["!!"], "fact": ["y"]}, "facts"),
        ({"files": [photo(b"no picture")]}, "Photo 1"),
        ({"files": [photo()] * 4}, "3 photographs"),
    ],
)
def test_what_cannot_be_used_brings_the_form_back(form: PublicForm, fields: dict[str, Any], says: str) -> None:
    browser = form.browser()
    page = form.filed(browser, **fields)
    assert page.status in (413, 422)
    assert says in page.words
    typed = page.form(page.url).fields
    assert typed["name"] == fields.get("name", ["Mara Lindqvist", "", ""])
    assert form.tickets() == []
    answer = browser.send(page, page.url, name=["Mara Lindqvist"], about=[""], fact=[""])
    assert (answer.status, len(form.tickets())) == (200, 1)


def test_form_sent_twice_and_at_the_same_time_files_one_request(form: PublicForm) -> None:
    browser = form.browser()
    page = form.proved(browser)
    statuses: list[int] = []

    def send() -> None:
        answer = browser.client.post(f"{page.url}/file", data={"name": "Mara Lindqvist"}, follow_redirects=False)
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303, 409, 409]
    assert len(form.tickets()) == 1


def test_pages_have_no_script_and_no_style_of_their_own(form: PublicForm) -> None:
    browser = form.browser()
    code = form.begun(browser)
    details = form.proved(browser, "x@example.com")
    status = form.filed(browser, "y@example.com")
    error = browser.open(f"{START}/nothing")
    for page in (browser.open(START), code, details, status, error):
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script" not in policy
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert "set-cookie" not in page.headers
        assert "<script" not in page.text
        assert " style=" not in page.text
        assert "<h1>" in page.text
    assert browser.client.get(f"{START}/style.css").headers["content-type"].startswith("text/css")


def test_odd_requests_get_a_page(form: PublicForm) -> None:
    browser = form.browser()
    page = form.proved(browser)
    for answer in (
        browser.post(START, {}, files={"email": ("x", b"y", "text/plain")}),
        browser.post(f"{page.url}/file", {f"f{number}": "x" for number in range(100)}, files={"a": ("", b"")}),
        browser.post(f"{page.url}/file", {"name": "a\x00b"}),
        browser.post(START, {"email": "a\x00@example.com"}),
        browser.open(f"{START}/{'ä' * 43}"),
        browser.open(f"{START}?lang=xx"),
    ):
        assert answer.status in (200, 400, 404, 422), answer.words
        assert "<h1>" in answer.text
    raw = browser.client.post(f"{page.url}/file", content=b"x", headers={"Content-Type": "multipart/form-data"})
    assert raw.status_code == 400
    assert form.tickets() == []


def test_slow_body_gives_its_place_up(
    form: PublicForm, listening: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "BODY_S", 0.2)
    page = form.proved(form.browser())
    port = int(listening(form.people.app.app).rpartition(":")[2])
    head = f"POST {page.url}/file HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode())
        assert b"HTTP/1.1 408" in connection.recv(100)
    assert cast(FastAPI, form.people.app.app).state.forms_under_way == set()


def test_markup_that_is_typed_is_shown_as_text(form: PublicForm) -> None:
    page = form.filed(form.browser(), name=['"><script>alert(1)</script>', "", ""], about=["!"], fact=["<b>x</b>"])
    assert page.status == 422
    assert "<script>" not in page.text
    assert "<b>x</b>" not in page.text


def test_page_and_mail_are_in_german_for_whoever_reads_german(form: PublicForm) -> None:
    browser = form.browser(**{"Accept-Language": "de"})
    page = form.begun(browser)
    assert "Der Code" in page.words
    (mail,) = form.mails()
    assert mail["Subject"] == "Ihr Code: ein Antrag auf Vergessen"
    assert "https://forget.example.org/request/" in text_of(mail)
    assert page.url in text_of(mail)
    english = browser.open(f"{page.url}?lang=en")
    assert "The code" in english.words
    page = browser.send(page, f"{page.url}/code", code=form.code())
    browser.send(page, f"{page.url}/file", name=["Mara Lindqvist"])
    (ticket,) = form.tickets()
    assert ticket["languages"] == ["en", "de"]


def test_form_is_off_unless_it_is_enabled(people: People) -> None:
    assert people.app.get(START).status_code == 404
    assert not any(path.startswith(START) for path in openapi_document()["paths"])


def test_logs_have_neither_address_nor_name_nor_link(form: PublicForm, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        page = form.filed(form.browser())
    for secret in ("mara@", "Mara", page.url.rpartition("/")[2], "Marble"):
        assert not any(secret in record.getMessage() for record in caplog.records if record.name != "httpx2"), secret


def test_addresses_and_forms_that_nobody_files_are_forgotten(form: PublicForm, database: Databases) -> None:
    form.begun(form.browser())
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE form_request SET expires_at = now() - interval '1 hour'"))
    form.mailer._forget_at = 0.0
    assert form.mails() == []
    assert scalar(database, "SELECT count(*) FROM form_request WHERE sealed IS NULL AND wrapped_key IS NULL") == 1
    assert scalar(database, "SELECT count(*) FROM retired_key WHERE object_key LIKE 'form/%'") == 1
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE form_request SET expires_at = now() - interval '2 days'"))
    form.mailer._forget_at = 0.0
    form.mailer.run()
    assert scalar(database, "SELECT count(*) FROM form_request") == 0


def test_link_says_nothing_and_cannot_be_guessed(form: PublicForm, people: People) -> None:
    one, two = (form.begun(form.browser(), f"{n}@example.com").url.rpartition("/")[2] for n in (1, 2))
    assert one != two
    assert links.token_of(people.context.keys, links.form_of(people.context.keys, one)) == one
    assert len(one) == 43


def test_templates_are_all_used() -> None:
    folder = Path(links.__file__).parent / "templates"
    assert {file.name for file in folder.iterdir()} == {
        "base.html", "start.html", "code.html", "details.html", "status.html", "error.html",
    }  # fmt: skip
