"""What holds for every page: the headers, the policy, labels, and that it opens for whoever may open it."""

import hashlib
import json
import logging
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from services.request.audit_log.sequencer import Sequencer
from services.request.console.rendering import FOLDER
from tests.support.api import People
from tests.support.console import Browser, HtmlPage
from tests.support.workers import Worker

NAMES = ("olivia", "adam", "oscar", "ada", "rosa")
TICKET = "/console/tickets"


class Checker(HTMLParser):
    """Collects what must not be in a page, and what has to have a name."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[dict[str, str | None]] = []
        self.headings: list[str] = []
        self._in_label = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.faults += [f"{tag} {name}" for name in values if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in values):
            self.faults.append(f"inline {tag}")
        for name in ("src", "href", "action"):
            address = values.get(name) or ""
            if re.match(r"\w+:|//", address) and not address.startswith("data:"):
                self.faults.append(f"{tag} leads to {address}")
        if "id" in values:
            self.ids.append(values["id"] or "")
        if tag == "label":
            self._in_label += 1
            self.labelled.add(values.get("for") or "")
        is_field = tag in ("input", "select", "textarea") and values.get("type") not in ("hidden", "submit")
        if is_field and not self._in_label and "aria-label" not in values:
            self.fields.append(values)
        if tag == "img" and "alt" not in values:
            self.faults.append("img without alt")
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._in_label -= tag == "label"


def check(page: HtmlPage) -> None:
    """Assert what holds for every page."""
    checker = Checker()
    checker.feed(page.text)
    assert not checker.faults, (page.url, checker.faults)
    assert len(set(checker.ids)) == len(checker.ids), (page.url, checker.ids)
    nameless = [field for field in checker.fields if field.get("id") not in checker.labelled]
    assert not nameless, (page.url, nameless)
    assert checker.headings.count("h1") == 1, page.url
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.fixture
def filled(people: People, worker: Worker, sequencer: Sequencer, ticket_body: dict[str, Any]) -> list[str]:
    """An installation in which every page has something to show; returns the addresses of its pages."""
    worker.publish()
    ticket = people["olivia"].post("/v1/tickets", ticket_body | {"external_ref": "case-1"}).json()["id"]
    people["olivia"].post(f"/v1/tickets/{ticket}/hold", {"reason": "A court asked."})
    again = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    refused = people["olivia"].post("/v1/tickets", ticket_body | {"names": ["Jon"]}).json()["id"]
    people["olivia"].post(f"/v1/tickets/{refused}/reject", {"code": "no_match", "note": "Nobody."})
    letter = people["olivia"].post(f"/v1/tickets/{refused}/letters", {"kind": "refusal", "text": "No."}).json()["id"]
    hook = people["rosa"].post("/v1/webhooks", {"url": "https://hooks.example.org/x", "events": ["*"]}).json()["id"]
    people["rosa"].post(f"/v1/webhooks/{hook}/test")
    people["rosa"].post("/v1/people", {"name": "paula", "roles": ["officer"]})
    person = people["rosa"].get("/v1/people").json()["items"][0]["id"]
    sequencer.run_once()
    return [
        TICKET, f"{TICKET}?view=all", f"{TICKET}/new", f"{TICKET}/{ticket}", f"{TICKET}/{again}", f"{TICKET}/{refused}",
        f"{TICKET}/{refused}/letters/draft/refusal", f"{TICKET}/{refused}/letters/{letter}",
        f"{TICKET}/{ticket}/edit", "/console/erasers", "/console/erasers/0",
        "/console/erasers/compare?older=0&newer=0", "/console/break-glass", "/console/status", "/console/figures",
        "/console/figures?since=2026-01-01&until=2027-01-01", "/console/retain-sets", "/console/webhooks",
        f"/console/webhooks/{hook}", "/console/keys", "/console/people", f"/console/people/{person}",
        "/console/log", "/console/log?start=0", "/console/log/0",
        "/console/nothing", "/console/sign-in",
    ]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_page_keeps_the_policy_and_names_its_fields_for_every_role(
    people: People, filled: list[str], language: str
) -> None:
    opened = set()
    for name in NAMES:
        browser = Browser(people, **{"Accept-Language": language}).sign_in(name)
        for path in filled:
            page = browser.open(path)
            assert page.status in (200, 403, 404), (name, path, page.words)
            check(page)
            if page.status == 200:
                opened.add(path)
            else:
                assert page.status == 403 or path == "/console/nothing", (name, path, page.words)
    assert opened == set(filled) - {"/console/nothing"}


def test_nobody_who_is_not_signed_in_sees_any_page(people: People, filled: list[str]) -> None:
    for path in filled:
        assert Browser(people).open(path).url.startswith("/console/sign-in"), path


def test_proof_of_an_entry_is_checked_and_an_altered_one_is_noticed(
    people: People, filled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = Browser(people).sign_in("ada")
    assert "It is in the signed log" in ada.open("/console/log/3").words
    from services.request.console import supervision  # noqa: PLC0415

    monkeypatch.setattr(supervision, "leaf_hash", lambda line: b"\0" * 32)
    assert "does not lead to the root" in ada.open("/console/log/3").words
    assert ada.open("/console/log/99999").status == 404


def test_static_files_are_kept_by_browsers_and_say_what_they_are(people: People) -> None:
    browser = Browser(people)
    page = browser.open("/console/sign-in")
    for address in re.findall(r'(?:href|src)="(/console/static/[^"]+)"', page.text):
        answer = browser.client.get(address)
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)
        assert answer.headers["x-content-type-options"] == "nosniff"
    for path in ("/console/static/../visit.py", "/console/static/%2e%2e/visit.py", "/console/static/none.css"):
        assert browser.client.get(path, follow_redirects=False).status_code in (303, 404), path


def test_first_page_weighs_little(people: People, filled: list[str]) -> None:
    browser = Browser(people).sign_in("adam")
    page = browser.open(TICKET)
    files = re.findall(r'(?:href|src)="(/console/static/[^"]+)"', page.text)
    assert len(page.text) + sum(len(browser.client.get(file).content) for file in set(files)) < 200_000


def test_templates_and_scripts_ask_no_other_host() -> None:
    own = (path for path in FOLDER.glob("static/*") if not path.name.startswith("swagger-ui"))
    for path in (*FOLDER.glob("templates/*"), *own):
        addresses = set(re.findall(r"https?://[\w.-]+", path.read_text()))
        assert addresses <= {"http://www.w3.org", "https://hooks.example.org"}, path.name


@pytest.mark.parametrize("folder", [FOLDER, Path(__file__).parents[3] / "support/axe"], ids=["console", "axe"])
def test_files_of_others_are_those_that_were_recorded(folder: Path) -> None:
    recorded = json.loads((folder / "vendored.json").read_text())
    files = {name: entry for name, entry in recorded.items() if name != "about"}
    assert files
    for name, entry in files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == entry["sha256"], name


def test_session_is_looked_at_before_a_body_is_read(people: People) -> None:
    """Somebody without a session does not make the service parse a form."""
    answer = Browser(people).client.post(
        "/console/tickets/new", content=b"x" * 10, headers={"Content-Type": "nonsense"}
    )
    assert answer.status_code == 401


def test_log_lines_have_templates_of_addresses_only(
    people: People, filled: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("lacuna.access"), "disabled", False)
    caplog.set_level(logging.INFO, logger="lacuna.access")
    with caplog.at_level("INFO"):
        browser = Browser(people).sign_in("adam")
        browser.open(f"{TICKET}?source=Mara")
    own = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
    assert "Mara" not in "".join(own)
    assert any("/console/tickets 200" in line for line in own)
