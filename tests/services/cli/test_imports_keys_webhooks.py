"""Import, API keys and webhooks on the command line, against the real request service."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.request.imports.jobs import ImportJobRunner
from tests.services.cli.conftest import RunCommand
from tests.support.api import People


@pytest.fixture
def import_jobs(people: People) -> Iterator[None]:
    """Import jobs run in the background, as the worker runs them."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            ImportJobRunner(people.context).run()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.usefixtures("import_jobs")
def test_import_files_good_rows_and_names_refused_rows(lacuna: RunCommand, tmp_path: Path) -> None:
    file = tmp_path / "tickets.csv"
    file.write_text("names,fact.city\nMara,Ulm\n,Ulm\n")
    assert "1 of 2 rows would be filed, 1 are refused." in lacuna("ticket", "import", str(file), "--dry-run").out
    assert json.loads(lacuna("ticket", "list", "--json").out)["items"] == []
    imported = lacuna("ticket", "import", str(file), "--json")
    job = json.loads(imported.out)
    assert (imported.code, job["accepted"], [row["row"] for row in job["refused_rows"]]) == (1, 1, [2])
    original = job["items"][0]["ticket"]
    file.write_text("names,fact.city,external_ref\nMara,Ulm,case-7\n")
    again = lacuna("ticket", "import", str(file))
    assert (again.code, original in again.out) == (0, True)  # the row, its ticket, and whose duplicate that is
    assert "case-7" in lacuna("ticket", "list").out


@pytest.mark.parametrize(
    ("name", "sentence"), [("none.csv", "none.csv cannot be read"), ("tickets.pdf", "neither a .csv nor a .ndjson")]
)
def test_import_of_unusable_file_is_refused(lacuna: RunCommand, name: str, sentence: str) -> None:
    refused = lacuna("ticket", "import", name)
    assert refused.code == 1
    assert sentence in refused.err


def test_key_is_created_listed_and_revoked(lacuna: RunCommand) -> None:
    created = json.loads(lacuna("key", "create", "rosa", "--role", "admin", "--days", "30", "--json").out)
    assert "rosa" in lacuna("key", "list").out
    assert lacuna("key", "revoke", created["id"]).out == "The key of rosa is revoked.\n"


def test_person_and_key_are_given_by_two_administrators(lacuna: RunCommand, people: People) -> None:
    asked = json.loads(lacuna("person", "add", "form", "--role", "requester", "--json").out)
    refused = lacuna("grant", "confirm", asked["id"], "--as", "rosa")
    assert (refused.code, "somebody else has to confirm it" in refused.err) == (1, True)
    assert "is confirmed" in lacuna("grant", "confirm", asked["id"]).out
    assert "form" in lacuna("person", "list").out
    first = lacuna("key", "create", "form", "--role", "requester").out
    grant = json.loads(lacuna("grant", "list", "--json").out)["items"][0]["id"]
    second = lacuna("grant", "confirm", grant).out
    parts = [text.split("for form alone: ")[1].split()[0] for text in (first, second)]
    assert people.client_of(".".join(parts)).get("/v1/tickets").status_code == 200
    assert lacuna("person", "disable", "form").out == "form is disabled.\n"
    assert "is asked" in lacuna("person", "roles", "form", "--role", "requester").out
    assert lacuna("person", "disable", "nobody").code == 1


def test_webhook_is_added_tested_rotated_and_disabled(lacuna: RunCommand) -> None:
    added = lacuna("webhook", "add", "https://hooks.example.org/x", "--event", "*", "--json")
    assert added.code == 0, added.err
    webhook = json.loads(added.out)["id"]
    assert "https://hooks.example.org/x" in lacuna("webhook", "list").out
    assert lacuna("webhook", "test", webhook).out.startswith("msg_")
    assert lacuna("webhook", "rotate", webhook).out.startswith("whsec_")
    assert "waiting" in lacuna("webhook", "log", webhook).out
    assert lacuna("webhook", "disable", webhook).code == 0
    assert lacuna("webhook", "test", webhook).code == 1


def test_tenant_is_added_by_two_administrators_who_pass_on_halves_of_keys(
    lacuna: RunCommand, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = json.loads(
        lacuna("tenant", "create", "acme", "--administrator", "anna", "--administrator", "boris", "--json").out
    )
    assert f"lacuna tenant confirm {asked['id']}" not in lacuna("tenant", "list").out
    refused = lacuna("tenant", "confirm", asked["id"], "--as", "rosa")
    assert (refused.code, "somebody else has to confirm it" in refused.err) == (1, True)
    confirmed = lacuna("tenant", "confirm", asked["id"])
    assert "Start its replicas with LACUNA_MODEL_ID=demo-vlm.acme." in confirmed.out
    second = confirmed.out.partition("for anna alone: ")[2].split()[0]
    assert "acme" in lacuna("tenant", "list").out
    assert "confirmed" in lacuna("tenant", "requests").out
    monkeypatch.setenv("LACUNA_KEY", f"{asked['key_parts'][0]['key_part']}.{second}")
    assert "boris" in lacuna("person", "list").out
    assert lacuna("tenant", "list").code == 1
