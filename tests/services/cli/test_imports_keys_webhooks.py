"""Import, keys and webhooks on the command line, against the real request service."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.cli.main import main
from services.cli.render.tables import console
from services.request.imports.jobs import ImportJobRunner
from tests.support.api import People

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lacuna(
    people: People,
    listening: Callable[[Any], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    monkeypatch.setenv("LACUNA_URL", listening(people.app.app))
    monkeypatch.setenv("LACUNA_DATA", str(tmp_path))
    monkeypatch.delenv("LACUNA_KEY", raising=False)
    monkeypatch.setattr(console, "width", 240)

    def run(*argv: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lacuna", *argv])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_a_file_is_imported_and_its_wrong_rows_are_told(lacuna: Run, people: People, tmp_path: Path) -> None:
    file = tmp_path / "tickets.csv"
    file.write_text("names,fact.city\nMara,Ulm\n=1+1,Ulm\n")
    done = threading.Event()

    def clerk() -> None:
        while not done.wait(0.05):
            ImportJobRunner(people.context).turn()

    thread = threading.Thread(target=clerk)
    thread.start()
    try:
        assert "1 of 2 rows would be filed, 1 are refused." in lacuna("ticket", "import", str(file), "--dry-run")[1]
        assert json.loads(lacuna("ticket", "list", "--json")[1])["items"] == []
        code, said, _ = lacuna("ticket", "import", str(file), "--json")
    finally:
        done.set()
        thread.join()
    assert (code, json.loads(said)["accepted"], json.loads(said)["refused_rows"][0]["row"]) == (1, 1, 2)
    assert lacuna("ticket", "import", "none.csv")[0] == 1
    assert lacuna("ticket", "import", "tickets.pdf")[0] == 1


def test_keys_and_webhooks_are_kept(lacuna: Run) -> None:
    made = json.loads(lacuna("key", "create", "form", "--role", "requester", "--days", "30", "--json")[1])
    assert "form" in lacuna("key", "list")[1]
    assert lacuna("key", "revoke", made["id"])[1] == "The key of form is revoked.\n"
    code, said, error = lacuna("webhook", "add", "https://hooks.example.org/x", "--event", "*", "--json")
    assert code == 0, error
    hook = json.loads(said)["id"]
    assert "https://hooks.example.org/x" in lacuna("webhook", "list")[1]
    assert lacuna("webhook", "test", hook)[1].startswith("msg_")
    assert lacuna("webhook", "rotate", hook)[1].startswith("whsec_")
    assert "waiting" in lacuna("webhook", "log", hook)[1]
    assert lacuna("webhook", "disable", hook)[0] == 0
    assert lacuna("webhook", "test", hook)[0] == 1
