"""The report of a version as one file: complete, self-contained, by the API, the console and the command line."""

import re
from pathlib import Path
from typing import Any, cast

import pypdfium2
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from services.cli.main import app
from services.request.app import build
from services.request.console import reports
from shared.db.models.audits import AuditRun
from shared.db.repositories.audits import VersionResults
from shared.db.session import transaction
from tests.support.api import People
from tests.support.console import Browser
from tests.support.databases import Databases
from tests.support.workers import Worker


def panel(told: float, same: float) -> dict[str, Any]:
    return {
        "n": 40, "people": 4, "told_before": 0.8, "told_after": told, "told_after_interval": [0.0, 0.12],
        "identical": same, "identical_interval": [0.9, 1.0],
    }  # fmt: skip


def report(ticket: str, told: float) -> dict[str, Any]:
    """A report with everything that a page shows."""
    row = {"asked": 80, "told_before": 0.7, "told_after": told, "told_after_interval": [0.0, 0.05], "reason": None}
    family = {"n": 12, "told_before": 9, "told_after": 1, "told_of_controls": 0, "controls": 12, "net": 0.08}
    return {
        "panels": {"forget": panel(told, 0.0), "test": panel(told, 0.0), "retain": panel(0.9, 0.99)},
        "ticket_verdicts": {ticket: row | {"passed": told < 0.2, "depth": "changed", "told_of_controls": 0.0}},
        "attacks": {"families": {"by_spelling": family}},
        "integrity": {"weights_unchanged": True},
        "not_run": ["speech"],
        "claim": "What was asked is all that is claimed.",
    }


@pytest.fixture
def ticket(people: People, worker: Worker, ticket_body: dict[str, Any], database: Databases) -> str:
    """A ticket that version 1 covers and tells of, and that version 2 covers and does not."""
    worker.publish()
    ticket = str(people["olivia"].post("/v1/tickets", ticket_body).json()["id"])
    worker.publish(ticket)
    worker.publish(ticket)
    with transaction(database.engine("admin")) as session:
        rows = session.query(AuditRun).order_by(AuditRun.started_at).all()
        for row, told in zip(rows[1:], (0.5, 0.0), strict=True):
            row.report = report(ticket, told)
    return ticket


def test_file_has_everything_and_asks_for_nothing(people: People, ticket: str) -> None:
    answer = people["oscar"].get("/v1/erasers/2/report?against=1")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == 'attachment; filename="version-2-against-1.html"'
    page = answer.text
    for phrase in ("Report of version 2", "What changed since version 1", "by spelling", "speech", ticket,
                   "Told and unchanged, version by version", "Each request in each version", "12.0 %",
                   "What was asked is all that is claimed."):  # fmt: skip
        assert phrase in page, phrase
    assert page.count("<svg") >= 3
    assert page.count("<circle") == 2
    assert not re.search(r"<script|<link|href=|src=|url\(|@import|https?://", page)
    strip = re.search(r'<table class="strip">.*?</table>', page, re.S)
    assert strip is not None
    assert re.findall(r"passed|failed|not covered", strip.group()) == ["passed", "failed", "not covered"]
    assert "Bericht zu Version 2" in people["oscar"].get("/v1/erasers/2/report?language=de").text
    assert "What changed since" not in people["oscar"].get("/v1/erasers/2/report").text
    figures = people["oscar"].get("/v1/erasers/2/report?against=1&format=json").json()
    assert (figures["columns"], figures["tickets"]) == ([2, 1, 0], {ticket: [True, False, None]})
    assert [point["told"] for point in figures["versions"]] == [0.0, 0.5]


@pytest.mark.parametrize(("code", "title"), [("en", "Report of version 2"), ("de", "Bericht zu Version 2")])
def test_pdf_has_the_tables_of_the_file(people: People, ticket: str, code: str, title: str) -> None:
    answer = people["oscar"].get(f"/v1/erasers/2/report?against=1&format=pdf&language={code}")
    assert answer.headers["content-disposition"] == 'attachment; filename="version-2-against-1.pdf"'
    with pypdfium2.PdfDocument(answer.content) as document:
        said = " ".join(page.get_textpage().get_text_range() for page in document)
        assert pypdfium2.raw.FPDFCatalog_IsTagged(document)
    for phrase in (title, ticket, "by spelling", "speech", "What was asked is all that is claimed."):
        assert phrase in said, phrase


def test_pdf_is_signed_where_there_is_a_key(people: People, ticket: str) -> None:
    class Stamp:
        def sign(self, pdf: bytes) -> bytes:
            return pdf + b"% signed"

    cast(FastAPI, people.app.app).state.pdf_signer = Stamp()
    assert people["oscar"].get("/v1/erasers/2/report?format=pdf").content.endswith(b"% signed")
    assert "signed" not in people["oscar"].get("/v1/erasers/2/report").text[-20:]


def test_file_is_for_those_who_read_audits(people: People, ticket: str) -> None:
    assert people["ada"].get("/v1/erasers/2/report").status_code == 200
    assert people["casey"].get("/v1/erasers/2/report").status_code == 403
    assert people["ada"].get("/v1/erasers/9/report").status_code == 404
    assert people["ada"].get("/v1/erasers/2/report?against=9").status_code == 404


def test_console_offers_the_file(people: People, ticket: str) -> None:
    ada = Browser(people, **{"Accept-Language": "de"}).sign_in("ada")
    assert "/console/erasers/2/report" in ada.open("/console/erasers/2").links
    compared = ada.open("/console/erasers/compare?older=1&newer=2")
    assert "/console/erasers/2/report?against=1" in compared.links
    file = ada.client.get("/console/erasers/2/report?against=1")
    assert (file.status_code, "Bericht zu Version 2" in file.text) == (200, True)
    assert file.headers["content-disposition"].startswith("attachment")


def test_command_line_writes_the_file(
    people: People, ticket: str, listening: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LACUNA_URL", listening(build(people.context)))
    monkeypatch.setenv("LACUNA_KEY", people.keys["oscar"])
    for name in ("report.html", "report.json", "report.pdf"):
        out = tmp_path / name
        done = CliRunner().invoke(app, ["eraser", "report", "2", "--against", "1", "--out", str(out)])
        assert done.exit_code == 0, done.output
        assert out.read_bytes().startswith(b"%PDF") if name.endswith("pdf") else ticket in out.read_text()


def test_version_without_sets_is_no_point_and_strip_has_failures_first() -> None:
    old = VersionResults(1, "passed", {"test": {"told_after": 0.1}}, {"T-A": {"passed": True}})
    new = VersionResults(2, "failed", {"test": {"told_after": 0.3}, "retain": {"identical": 0.9}},
                         {"T-A": {"passed": True}, "T-B": {"passed": False}})  # fmt: skip
    assert reports.point(old) is None
    assert reports.point(new) == reports.Point(2, "failed", 0.3, 0.9)
    assert reports.strip([new, old]) == [("T-B", [False, None]), ("T-A", [True, True])]
