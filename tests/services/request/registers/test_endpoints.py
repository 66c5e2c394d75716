"""The register and its figures are complete, paged and escaped, and only the permitted roles read them."""

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import text as sql
from typer.testing import CliRunner

from services.cli.main import app
from services.request.app import build
from shared.core.clock import utc_now
from shared.db.session import transaction
from shared.errors import LacunaError
from tests.support.api import People
from tests.support.databases import Databases

TAKEN: Final = (("median", "decision"), ("median", "completion"), ("p95", "completion"))


@pytest.fixture
def filed(people: People, ticket_body: dict[str, Any]) -> list[str]:
    """Three requests: one approved, one rejected, one open; the source of one is a formula."""
    ids = []
    for number, source in enumerate(("web", "=HYPERLINK(1)", "web")):
        body = ticket_body | {"names": [f"Somebody {number}"], "source": source}
        ids.append(people["olivia"].post("/v1/tickets", body).json()["id"])
    people["adam"].post(f"/v1/tickets/{ids[0]}/approve", {"ground": "objection", "names": ["Somebody 0"]})
    people["adam"].post(f"/v1/tickets/{ids[1]}/reject", {"code": "no_match", "note": "Nobody of that name."})
    return ids


def test_figures(people: People, database: Databases, filed: list[str]) -> None:
    figures = people["ada"].get("/v1/registers/kpis").json()
    assert (figures["received"], figures["granted"], figures["refused"], figures["open"]) == (3, 1, 1, 2)
    assert figures["refused_by_code"] == {"no_match": 1}
    assert figures["median_days_to_decision"] == pytest.approx(0, abs=0.01)
    assert (figures["median_days_to_completion"], figures["overdue"]) == (None, 0)
    with transaction(database.engine("admin")) as session:
        session.execute(sql("UPDATE ticket SET due_at = now() - interval '1 day'"))
    assert people["ada"].get("/v1/registers/kpis").json()["overdue"] == 2
    none = people["ada"].get("/v1/registers/kpis?until=2020-01-01T00:00:00Z").json()
    assert (none["received"], none["median_days_to_decision"]) == (0, None)
    rows = dict(csv.reader(io.StringIO(people["ada"].get("/v1/registers/kpis?format=csv").text)))
    assert (rows["received"], rows["refused_no_match"]) == ("3", "1")


def test_register_is_complete_in_pages_csv_and_json(
    people: People, filed: list[str], listening: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = people["ada"].get("/v1/registers/requests?limit=2").json()
    rest = people["ada"].get(f"/v1/registers/requests?limit=2&cursor={first['next']}").json()
    assert ([item["id"] for item in first["items"] + rest["items"]], rest["next"]) == (filed, None)
    assert people["ada"].get(f"/v1/registers/requests?since=2020-01-01T00:00:00Z&cursor={first['next']}").is_error
    text = people["ada"].get("/v1/registers/requests?format=csv").text.removeprefix("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert ([row["id"] for row in rows], rows[1]["source"]) == (filed, "'=HYPERLINK(1)")
    assert "Somebody" not in text
    monkeypatch.setenv("LACUNA_URL", listening(build(people.context)))
    monkeypatch.setenv("LACUNA_KEY", people.keys["ada"])
    monkeypatch.setattr("services.cli.commands.registers.PAGE_SIZE", 2)
    for name in ("r.csv", "r.json"):
        done = CliRunner().invoke(app, ["register", "requests", "--out", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
    assert [row["id"] for row in csv.DictReader(io.StringIO((tmp_path / "r.csv").read_text("utf-8-sig")))] == filed
    assert [row["id"] for row in json.loads((tmp_path / "r.json").read_text())] == filed


def test_request_refused_after_its_last_day_is_late(people: People, ticket_body: dict[str, Any]) -> None:
    """One came 60 days ago and is refused today; beside it, one that is refused in time and one that is overdue."""
    received = (utc_now() - timedelta(days=60)).isoformat()
    ids = []
    for name, more in (("Late", {"received_at": received, "regime": "ccpa"}), ("In time", {}),
                       ("Open", {"received_at": received})):  # fmt: skip
        ids.append(
            people["olivia"].post("/v1/tickets", ticket_body | {"names": [f"{name} Person"]} | more).json()["id"]
        )
    for ticket in ids[:2]:
        people["olivia"].post(f"/v1/tickets/{ticket}/reject", {"code": "no_match", "note": "-"})
    figures = people["ada"].get("/v1/registers/kpis").json()
    assert (figures["refused"], figures["refused_late"], figures["answered_in_time"]) == (2, 1, 1)
    assert (figures["overdue"], figures["completed_late"]) == (1, 0)
    assert figures["by_regime"]["ccpa"] == {
        "received": 1, "open": 0, "answered_in_time": 0, "overdue": 0, "completed_late": 0, "refused_late": 1,
        "median_days_to_decision": pytest.approx(60, abs=0.01), "median_days_to_completion": None,
        "p95_days_to_completion": None,
    }  # fmt: skip
    assert (figures["by_regime"]["gdpr"]["answered_in_time"], figures["by_regime"]["gdpr"]["overdue"]) == (1, 1)
    rows = dict(csv.reader(io.StringIO(people["ada"].get("/v1/registers/kpis?format=csv").text)))
    assert (rows["refused_late"], rows["ccpa_refused_late"]) == ("1", "1")
    items = people["ada"].get("/v1/registers/requests").json()["items"]
    assert [item["late"] for item in items] == [True, False, True]
    assert [item["refused_at"] is not None for item in items] == [True, True, False]
    assert items[0]["received_at"][:19] == received[:19]
    assert (items[0]["identity"], items[0]["extended"], items[0]["completed_at"]) == ("assumed", False, None)


def test_days_count_from_the_receipt_by_law(people: People, ticket_body: dict[str, Any], database: Databases) -> None:
    """Two under the GDPR, filed alike and received ten days apart, and one under the CCPA that came three days ago."""
    now = utc_now()
    for name, before, law in (("Mara", 0, "gdpr"), ("Eva", 10, "gdpr"), ("Ida", 3, "ccpa")):
        more = {"received_at": (now - timedelta(days=before)).isoformat(), "regime": law}
        sent = people["olivia"].post("/v1/tickets", ticket_body | {"names": [f"{name} Lindqvist"]} | more)
        assert sent.status_code == 201, sent.text
        if name != "Mara":
            people["olivia"].post(f"/v1/tickets/{sent.json()['id']}/reject", {"code": "no_match", "note": "-"})
    with transaction(database.engine("admin")) as session:
        session.execute(sql("SET session_replication_role = replica"))
        session.execute(sql("UPDATE ticket SET required_since = submitted_at + interval '2 days'"))
    figures = people["ada"].get("/v1/registers/kpis").json()

    def days(of: dict[str, Any]) -> list[float]:
        return [of[f"{name}_days_to_{end}"] for name, end in TAKEN]

    assert days(figures) == pytest.approx([6.5, 5, 11.3], abs=0.01)
    assert days(figures["by_regime"]["gdpr"]) == pytest.approx([10, 7, 11.5], abs=0.01)  # 2 and 12 days to completion
    assert days(figures["by_regime"]["ccpa"]) == pytest.approx([3, 5, 5], abs=0.01)
    rows = dict(csv.reader(io.StringIO(people["ada"].get("/v1/registers/kpis?format=csv").text)))
    assert float(rows["gdpr_median_days_to_completion"]) == pytest.approx(7, abs=0.01)
    entries = people["ada"].get("/v1/registers/requests").json()["items"]
    assert [entry["received_at"][:16] for entry in entries] == [
        (now - timedelta(days=before)).isoformat()[:16] for before in (0, 10, 3)
    ]


def test_receipt_of_a_ticket_never_changes(people: People, ticket_body: dict[str, Any], database: Databases) -> None:
    people["olivia"].post("/v1/tickets", ticket_body)
    with (
        pytest.raises(LacunaError, match="received cannot be changed"),
        transaction(database.engine("request")) as session,
    ):
        session.execute(sql("UPDATE ticket SET received_at = received_at + interval '1 day'"))
    with transaction(database.engine("request")) as session:
        session.execute(sql("UPDATE ticket SET received_at = received_at, urgent = true"))


def test_paused_request_is_not_overdue(people: People, ticket_body: dict[str, Any], database: Databases) -> None:
    ticket = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    people["olivia"].post(f"/v1/tickets/{ticket}/identity", {"outcome": "doubted", "note": "-"})
    with transaction(database.engine("admin")) as session:
        session.execute(sql("UPDATE ticket SET due_at = now() - interval '1 day'"))
    assert people["ada"].get("/v1/registers/kpis").json()["overdue"] == 0
    assert people["ada"].get("/v1/registers/requests").json()["items"][0]["late"] is False


def test_register_is_refused_to_operator_and_client(people: People) -> None:
    assert people["olivia"].get("/v1/registers/kpis").status_code == 200
    for name in ("oscar", "casey"):
        assert people[name].get("/v1/registers/requests").status_code == 403
