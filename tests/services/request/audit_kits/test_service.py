"""A sealed audit kit opens for a limited time after a second person allows it, and each opening is logged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from services.cli.main import app
from services.request.app import build
from services.request.retention import service as retention_service
from shared.db.session import transaction
from tests.services.request.retention.test_service import erased  # noqa: F401
from tests.support.api import People
from tests.support.databases import Databases

WHY = {"reason": "Complaint 7", "minutes": 30}


@pytest.fixture
def kit(people: People, erased: str) -> str:  # noqa: F811
    """The ticket, whose payload is destroyed."""
    with transaction(people.context.database) as session:
        retention_service.shred_key(session, people.context.store, people.context.keys, erased, "payload")
    return erased


@pytest.fixture
def asked(people: People, kit: str) -> str:
    answer = people["ada"].post(f"/v1/tickets/{kit}/kit", WHY)
    assert (answer.status_code, answer.json()["state"]) == (202, "asked"), answer.text
    return f"/v1/kits/{answer.json()['id']}"


def test_kit_allowed_by_second_person_opens_and_logs_each_opening(
    people: People, kit: str, asked: str, database: Databases
) -> None:
    assert people["ada"].post(f"{asked}/open").status_code == 409
    assert people["ada"].post(f"{asked}/allow").status_code == 403
    allowed = people["rosa"].post(f"{asked}/allow")
    assert (allowed.status_code, allowed.json()["state"]) == (200, "allowed")
    head = {"Idempotency-Key": "look"}
    first, again = (people["ada"].post(f"{asked}/open", **head) for _ in range(2))
    opened = first.json()
    assert (opened["names"], opened["facts"][0]["value"], len(opened["photos"])) == (
        ["Mara Lindqvist"],
        "Marble & Finch",
        1,
    )
    assert (first.headers["cache-control"], opened["openings"]) == ("no-store", 1)
    assert (again.json()["names"], again.json()["photos"]) == (None, None)
    for name in ("olivia", "adam", "oscar", "rosa", "viktor"):
        assert people[name].post(f"{asked}/open").status_code == 403
    assert people["oscar"].get(asked).status_code == 403
    assert people["oscar"].get("/v1/kits").status_code == 403
    people["ada"].post(f"{asked}/open")
    shown = people["viktor"].get(asked).json()
    assert (shown["openings"], "names" in shown) == (2, False)
    with transaction(database.engine("admin")) as session:
        kinds = list(session.scalars(text("SELECT kind FROM log_leaf WHERE kind LIKE 'kit.%' ORDER BY id")))
        everything = " ".join(session.scalars(text("SELECT body::text FROM idempotency_key")))
    assert kinds == ["kit.asked", "kit.allowed", "kit.opened", "kit.opened"]
    assert "Lindqvist" not in everything


def test_expired_ended_or_shredded_access_is_refused(
    people: People, kit: str, asked: str, database: Databases, ticket_body: dict[str, Any]
) -> None:
    people["adam"].post(f"{asked}/allow")
    assert people["adam"].post(f"{asked}/allow").status_code == 409
    with transaction(database.engine("admin")) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE kit_access SET expires_at = now() - interval '1 second'"))
    late = people["ada"].post(f"{asked}/open")
    assert (late.status_code, "over" in late.json()["detail"]) == (409, True)
    second = f"/v1/kits/{people['ada'].post(f'/v1/tickets/{kit}/kit', WHY).json()['id']}"
    people["rosa"].post(f"{second}/allow")
    assert people["ada"].post(f"{second}/open").status_code == 200
    assert people["viktor"].post(f"{second}/end").status_code == 200
    assert people["ada"].post(f"{second}/open").status_code == 409
    assert people["rosa"].post(f"{second}/allow").status_code == 409
    third = f"/v1/kits/{people['ada'].post(f'/v1/tickets/{kit}/kit', WHY).json()['id']}"
    people["rosa"].post(f"{third}/allow")
    with transaction(people.context.database) as session:
        retention_service.shred_key(session, people.context.store, people.context.keys, kit, "kit")
    assert people["ada"].post(f"{third}/open").status_code == 409
    other = people["olivia"].post("/v1/tickets", ticket_body | {"names": ["Else"]}).json()["id"]
    assert people["ada"].post(f"/v1/tickets/{other}/kit", WHY).status_code == 409


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE kit_access SET allowed_by = 'ada', allowed_at = now(), expires_at = now()", "a second person"),
        (
            "UPDATE kit_access SET allowed_by = 'rosa', allowed_at = now(), expires_at = now() + interval '1 day'",
            "check",
        ),
        ("UPDATE kit_access SET reason = 'x'", "permission denied"),
        (
            "INSERT INTO kit_opening (access_id, at, actor) SELECT id, now(), asked_by FROM kit_access",
            "only by the person who asked",
        ),
        ("DELETE FROM kit_opening", "permission denied"),
    ],
)
def test_access_row_without_a_second_person_is_refused_by_the_database(
    asked: str, database: Databases, statement: str, says: str
) -> None:
    with pytest.raises(Exception, match=says), transaction(database.engine("request")) as session:
        session.execute(text(statement))


def test_kit_commands_ask_allow_open_list_and_end(
    people: People, kit: str, listening: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LACUNA_URL", listening(build(people.context)))

    def run(who: str, *arguments: str) -> str:
        monkeypatch.setenv("LACUNA_KEY", people.keys[who])
        done = CliRunner().invoke(app, ["kit", *arguments], catch_exceptions=False)
        return " ".join(done.output.split())

    access = run("ada", "ask", kit, "--reason", "Complaint 7").split()[1]
    assert "is allowed" in run("rosa", "allow", access)
    assert kit in run("ada", "open", access, "--out", str(tmp_path / "kit"))
    assert "Mara Lindqvist" in (tmp_path / "kit/kit.json").read_text()
    assert ((tmp_path / "kit").stat().st_mode & 0o77, (tmp_path / "kit/1.png").stat().st_mode & 0o77) == (0, 0)
    assert "Complaint 7" in run("ada", "list", "--json")
    assert "is ended" in run("ada", "end", access)
