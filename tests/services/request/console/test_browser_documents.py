"""The documents of a request in a real browser: letters, certificate, and the report of a version, at both widths.

`LACUNA_SCREENSHOTS=FOLDER` keeps a picture of each page, for somebody to look at.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page

from services.request.audit_log.sequencer import Sequencer
from shared.db.models.audits import AuditRun
from shared.db.session import transaction
from tests.services.request.certificates.test_issuer import GROUND, Scenario
from tests.services.request.console.test_browser import check, faults, note_figures, sign_in
from tests.services.request.console.test_report_file import report
from tests.support.api import People
from tests.support.chromium import PHONE, WIDE, Tab, chromium, needs_chromium, open_tab
from tests.support.databases import Databases
from tests.support.workers import Worker

pytestmark = needs_chromium
PICTURES = os.environ.get("LACUNA_SCREENSHOTS")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def url(people: People, listening: Callable[[Any], str]) -> str:
    return listening(people.app.app)


@pytest.fixture
def completed(
    people: People, worker: Worker, database: Databases, sequencer: Sequencer, ticket_body: dict[str, Any]
) -> str:
    """A completed ticket with its certificate; version 1 covers it, and its audit has everything that a page shows."""
    scenario = Scenario(people, worker, database, sequencer)
    worker.publish()
    ticket = str(people["olivia"].post("/v1/tickets", ticket_body).json()["id"])
    people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND)
    scenario.run_jobs()
    scenario.generation = 1  # version 0 is promoted
    scenario.version(ticket)
    with transaction(database.engine("admin")) as session:
        newest = session.query(AuditRun).order_by(AuditRun.finished_at.desc()).first()
        assert newest is not None
        newest.report = report(ticket, 0.0)
    return ticket


def looked_at(page: Page, name: str, width: int) -> list[str]:
    """What is wrong with the page: faults of accessibility, and that it is wider than the window."""
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}-{width}.png", full_page=True)
    found = faults(page)
    if not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
        found.append(f"{name} is wider than {width} pixels")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["1280", "390"])
def test_letters_certificate_and_report_are_walked_through(
    browser: Browser, url: str, people: People, completed: str, size: tuple[int, int], tmp_path: Path
) -> None:
    """From the completed request: the letter that tells of it, the certificate, and the report of the version."""
    people["olivia"].post(f"/v1/tickets/{completed}/assign", {"to": "me"})
    tab: Tab = open_tab(browser, size)
    page, width, found = sign_in(tab, url, people, "olivia"), size[0], []
    page.goto(f"{url}/console/tickets?view=mine")
    found += looked_at(page, "queue-mine", width)
    page.goto(f"{url}/console/tickets/{completed}")
    found += looked_at(page, "ticket", width)

    page.get_by_role("link", name="Tell of the completion").click()
    found += looked_at(page, "letter", width)
    text = page.locator("textarea").first
    text.fill(text.input_value().replace("[", "").replace("]", ""))
    page.get_by_role("button", name="Record it as sent").click()
    found += looked_at(page, "letter-recorded-request", width)
    assert "The letter is recorded." in page.inner_text("main")
    page.get_by_role("link", name="completion", exact=True).click()
    found += looked_at(page, "letter-as-recorded", width)

    page.goto(f"{url}/console/tickets/{completed}")
    with page.expect_download() as pdf:
        page.get_by_role("link", name="Certificate (PDF)").click()
    certificate = tmp_path / "certificate.pdf"
    pdf.value.save_as(certificate)
    assert certificate.read_bytes().startswith(b"%PDF-")
    with page.expect_download() as bundle:
        page.get_by_role("link", name="with all proofs").click()
    assert bundle.value.suggested_filename.endswith(".zip")

    page.goto(f"{url}/console/erasers")
    found += looked_at(page, "erasers", width)
    page.get_by_role("link", name="1", exact=True).click()
    found += looked_at(page, "version", width)
    with page.expect_download() as file:
        page.get_by_role("link", name="Report as a file").click()
    report_file = tmp_path / "report.html"
    file.value.save_as(report_file)
    alone = open_tab(browser, size)
    alone.page.goto(report_file.as_uri())
    found += looked_at(alone.page, "report-file", width)
    if PICTURES:
        _draw(certificate, f"{PICTURES}/certificate-{width}")
    assert found == [], found
    assert alone.complaints == []
    check(tab)


def _draw(pdf: Path, name: str) -> None:
    import pypdfium2  # noqa: PLC0415 - only for pictures

    for number, sheet in enumerate(pypdfium2.PdfDocument(pdf)):
        sheet.render(scale=1.2).to_pil().save(f"{name}-{number + 1}.png")


@pytest.mark.slow
def test_officer_needs_six_clicks_from_filing_to_the_certificate_and_the_approver_three(
    browser: Browser, url: str, people: People, worker: Worker, database: Databases, sequencer: Sequencer
) -> None:
    """Counted from the first page after signing in; typing is not counted."""
    scenario = Scenario(people, worker, database, sequencer)
    worker.publish()
    clicks = {"olivia": 0, "adam": 0}

    def click(name: str, chosen: Locator) -> None:
        chosen.click()
        clicks[name] += 1

    page = sign_in(open_tab(browser), url, people, "olivia")
    click("olivia", page.get_by_role("main").get_by_role("link", name="New request"))
    page.get_by_label("Name", exact=True).fill("Mara Lindqvist")
    page.get_by_label("About").first.fill("employer")
    page.get_by_label("Fact", exact=True).first.fill("Marble & Finch")
    click("olivia", page.get_by_role("button", name="File the request"))
    ticket = page.locator("h1").inner_text()

    approver = sign_in(open_tab(browser), url, people, "adam")
    click("adam", approver.get_by_role("link", name=ticket))
    approver.get_by_label("Each name of the request").fill("Mara Lindqvist")
    click("adam", approver.get_by_role("button", name="Approve", exact=True))
    assert people["adam"].get(f"/v1/tickets/{ticket}").json()["state"] == "approved"

    scenario.run_jobs()
    scenario.generation = 1  # version 0 is promoted
    scenario.version(ticket)
    page.goto(f"{url}/console/tickets")  # another day
    click("olivia", page.get_by_role("link", name="Completed"))
    click("olivia", page.get_by_role("link", name=ticket))
    with page.expect_download() as file:
        click("olivia", page.get_by_role("link", name="Certificate (PDF)"))
    assert file.value.suggested_filename.endswith(".pdf")
    note_figures("clicks from filing to the certificate", clicks)
    assert clicks["olivia"] <= 6
    assert clicks["adam"] <= 3
