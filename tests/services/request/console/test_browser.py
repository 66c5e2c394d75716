"""The console in a real browser: the officer's walk, accessibility by axe-core, and that nothing else is asked.

The short walk runs with the other tests where there is a chromium; the pages one by one are slow.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page

from services.request.audit_log.sequencer import Sequencer
from services.request.auth.authentication import Authenticator
from services.request.auth.oidc import OidcProvider
from services.request.console import progress as progress_part
from services.request.erasers import promotions
from services.request.imports.jobs import ImportJobRunner
from services.request.tickets import progress
from shared.db.session import transaction
from shared.domain.photos import read_data_url
from tests.support.api import People
from tests.support.chromium import PHONE, WIDE, Tab, chromium, needs_chromium, open_tab
from tests.support.oidc import CLIENT, Issuer, issuer
from tests.support.pictures import png
from tests.support.workers import Worker

__all__ = ["issuer"]  # the fixture
pytestmark = needs_chromium
AXE = (Path(__file__).parents[3] / "support/axe/axe.min.js").read_text()
GRAVE = ("serious", "critical")
Listening = Callable[[Any], str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def url(people: People, listening: Listening) -> str:
    """The address of the request service."""
    return listening(people.app.app)


def sign_in(tab: Tab, url: str, people: People, name: str) -> Page:
    page = tab.page
    page.goto(url)
    page.get_by_label("API key").fill(people.keys[name])
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/tickets*")
    return page


def faults(page: Page) -> list[str]:
    """What axe-core finds that is serious or critical. It is run past the page's policy, which forbids it."""
    page.evaluate(AXE)
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{page.url} {fault['id']}: {fault['help']}: {[node['html'][:120] for node in fault['nodes'][:3]]}"
        for fault in found
        if fault["impact"] in GRAVE
    ]


def note_figures(what: str, figures: object) -> None:
    """Add figures to the file that LACUNA_FIGURES names, one JSON object a line; nothing without it."""
    if path := os.environ.get("LACUNA_FIGURES"):
        with Path(path).open("a") as file:
            file.write(json.dumps({"what": what, "figures": figures}) + "\n")


def check(tab: Tab) -> None:
    """Only this machine was asked, nothing was refused by the policy, and no script failed."""
    assert tab.hosts == {"127.0.0.1"}
    assert tab.complaints == []


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["1280", "390"])
def test_request_is_filed_by_one_person_and_approved_by_another_in_few_clicks(
    browser: Browser, url: str, people: People, size: tuple[int, int]
) -> None:
    officer, approver = open_tab(browser, size), open_tab(browser, size)
    page = sign_in(officer, url, people, "olivia")
    clicks = 0

    def click(chosen: Any) -> None:
        nonlocal clicks
        chosen.click()
        clicks += 1

    click(page.get_by_role("main").get_by_role("link", name="New request"))
    page.get_by_label("Name", exact=True).fill("Mara Lindqvist")
    page.get_by_label("About").first.fill("employer")
    page.get_by_label("Fact", exact=True).first.fill("Marble & Finch")
    page.get_by_label("Photographs").set_input_files(
        {"name": "mara.png", "mimeType": "image/png", "buffer": read_data_url(png())}
    )
    click(page.get_by_role("button", name="File the request"))
    assert "The request is filed." in page.inner_text("main")
    assert "1 photograph" in page.inner_text("main")
    ticket = page.locator("h1").inner_text()
    assert faults(page) == []
    officer_clicks, clicks = clicks, 0

    page = sign_in(approver, url, people, "adam")
    click(page.get_by_role("link", name=ticket))
    page.get_by_label("Each name of the request").fill("Mara Lindqvist")
    click(page.get_by_role("button", name="Approve", exact=True))
    assert "waits for the nightly refit" in page.inner_text("main")
    assert people["adam"].get(f"/v1/tickets/{ticket}").json()["state"] == "approved"
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert officer_clicks <= 6
    assert clicks <= 3
    for tab in (officer, approver):
        check(tab)
        assert tab.bytes < 200_000


def test_sign_in_at_a_provider_of_another_site_leads_to_the_page_that_was_asked_for(
    browser: Browser, url: str, people: People, issuer: Issuer
) -> None:
    """The cookie of the session is strict: a redirect that begins at the provider arrives without it."""
    issuer.has_page = True
    issuer.url = issuer.url.replace("127.0.0.1", "localhost")
    provider = OidcProvider(issuer.url, "lacuna", roles_map={"compliance": "officer"}, client_id=CLIENT)
    cast(FastAPI, people.app.app).state.authenticator = Authenticator(people.context.database, provider)
    people.add("uma", "officer", subject={"issuer": issuer.url, "subject": "u-17"})
    tab = open_tab(browser, WIDE)
    page = tab.page
    page.goto(f"{url}/console/status")
    assert faults(page) == []
    page.get_by_role("link", name="Sign in with your organisation's account").click()
    page.get_by_role("link", name="Let me in").click()
    page.wait_for_url("**/console/status")
    assert page.locator("h1").inner_text() == "Status"
    assert "uma" in page.inner_text("header")
    assert issuer.sign_in_asked["redirect_uri"] == f"{url}/console/sign-in/callback"
    assert tab.complaints == []


def test_pages_of_people_are_accessible(browser: Browser, url: str, people: People) -> None:
    people["rosa"].post("/v1/people", {"name": "paula", "roles": ["officer"]})
    tab = open_tab(browser, PHONE)
    page = sign_in(tab, url, people, "viktor")
    page.goto(f"{url}/console/people")
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="Confirm", exact=True).click()
    assert "It is confirmed for paula." in page.inner_text("main")
    page.get_by_role("link", name="paula", exact=True).click()
    assert page.locator("h1").inner_text() == "paula"
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    check(tab)


@pytest.mark.slow
def test_twenty_imported_requests_are_looked_at_and_approved_by_keyboard(
    browser: Browser, url: str, people: People
) -> None:
    names = [f"Person {n}" for n in range(20)]
    rows = [{"names": [name], "facts": [{"attribute": "city", "value": f"{name}-by"}]} for name in names]
    head = {"Authorization": f"Bearer {people.keys['olivia']}", "Content-Type": "application/x-ndjson"}
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    job = people.app.post("/v1/imports", content=content, headers=head).json()["id"]
    assert ImportJobRunner(people.context).run()
    done = people["olivia"].get(f"/v1/imports/{job}/rows?limit=100").json()["items"]
    filed = {row["ticket"]: names[row["row"] - 1] for row in done}
    assert len(filed) == 20
    tab = open_tab(browser)
    page = sign_in(tab, url, people, "adam")
    began = time.monotonic()
    for _ in names:
        page.keyboard.press("j")
        page.keyboard.press("x")
    assert page.locator("[data-count]").inner_text() == "20"
    page.locator("form#bulk button.primary").press("Enter")
    page.wait_for_url("**/review")
    for card in page.locator("[data-rows] > *").all():
        ticket = card.locator("a.id").inner_text()
        card.locator("textarea").fill(filed[ticket])
        card.locator("input[type=checkbox]").press("Space")
    page.get_by_role("button", name="Approve the ticked requests").press("Enter")
    page.wait_for_url("**/approve")
    assert page.get_by_text("not approved").count() == 0
    states = [ticket["state"] for ticket in people["adam"].get("/v1/tickets").json()["items"]]
    note_figures("20 imported requests approved by keyboard, s", round(time.monotonic() - began, 1))
    assert states == ["approved"] * 20
    check(tab)


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_page_is_accessible_and_fits_at_both_widths(
    browser: Browser,
    url: str,
    people: People,
    worker: Worker,
    sequencer: Sequencer,
    ticket_body: dict[str, Any],
    dark: bool,
) -> None:
    worker.publish()
    ticket = people["olivia"].post("/v1/tickets", ticket_body | {"external_ref": "case-1"}).json()["id"]
    again = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    worker.publish()
    for step in (promotions.promote_passed, progress.move_tickets):
        with transaction(people.context.database) as session:
            step(session, people.context.model_id)
    worker.serve(1, 1)
    sequencer.run_once()
    paths = [
        "/console/tickets", f"/console/tickets/{ticket}", f"/console/tickets/{again}", "/console/tickets/new",
        f"/console/tickets/{ticket}/edit", "/console/erasers", "/console/erasers/0", "/console/break-glass",
        "/console/erasers/compare?older=0&newer=1", "/console/status", "/console/figures", "/console/retain-sets",
        "/console/webhooks", "/console/keys", "/console/people", "/console/tenants", "/console/nothing",
    ]  # fmt: skip
    auditors = ["/console/log", "/console/log/1"]
    found: list[str] = []
    for name, own in (("rosa", paths), ("ada", auditors)):
        tab = open_tab(browser, dark=dark)
        page = sign_in(tab, url, people, name)
        for path in own:
            page.goto(url + path)
            found += faults(page)
            for width, height in (WIDE, PHONE):
                page.set_viewport_size({"width": width, "height": height})
                if not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
                    found.append(f"{path} is wider than {width} pixels")
        assert tab.hosts == {"127.0.0.1"}
        assert [complaint for complaint in tab.complaints if "404" not in complaint] == []
    assert found == [], found


@pytest.mark.slow
def test_rollback_that_exposes_somebody_is_previewed_and_stages_refresh_themselves(
    browser: Browser, url: str, people: People, worker: Worker, ticket_body: dict[str, Any]
) -> None:
    worker.publish()
    ticket = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    approval = {"ground": "objection", "names": ticket_body["names"]}
    assert people["adam"].post(f"/v1/tickets/{ticket}/approve", approval).status_code == 200
    worker.publish(ticket)
    for _ in range(2):
        for step in (promotions.promote_passed, progress.move_tickets):
            with transaction(people.context.database) as session:
                step(session, people.context.model_id)
        worker.serve(1, 1)
    tab = open_tab(browser, PHONE)
    page = sign_in(tab, url, people, "oscar")
    page.goto(f"{url}/console/erasers/0")
    assert "1 person who must stay forgotten would be exposed" in page.inner_text("main")
    assert page.get_by_role("button", name="Roll back").count() == 0
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{url}/console/erasers")
    worker.claim()
    page.get_by_text("a worker has begun").wait_for(timeout=15_000)  # the server says so by itself
    assert f"{url}{progress_part.EVENTS}" in asked
    assert f"{url}{progress_part.PATH}" not in asked
    page.route(f"**{progress_part.EVENTS}", lambda route: route.fulfill(status=503))
    page.reload()
    worker.claim()
    page.get_by_text("a worker has begun").nth(1).wait_for(timeout=15_000)  # without a stream, the page asks again
    assert f"{url}{progress_part.PATH}" in asked
    tab.complaints[:] = [complaint for complaint in tab.complaints if "503" not in complaint]
    check(tab)


@pytest.mark.slow
def test_documentation_of_the_api_works_without_the_internet(browser: Browser, url: str) -> None:
    tab = open_tab(browser)
    tab.page.goto(f"{url}/docs")
    tab.page.get_by_text("/v1/tickets/search").first.wait_for(timeout=30_000)
    check(tab)
