"""The command line against the real request service: what people and programs read, what is said when it fails."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from services.cli.main import main
from services.cli.render.tables import console
from tests.support.api import People
from tests.support.workers import Worker

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "mara.png"
    Image.new("RGB", (64, 64), (90, 30, 30)).save(path)
    return path


@pytest.fixture
def lacuna(
    people: People,
    listening: Callable[[Any], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs a command over a stack: (exit status, standard output, standard error)."""
    monkeypatch.setenv("LACUNA_URL", listening(people.app.app))
    monkeypatch.setenv("LACUNA_DATA", str(tmp_path))
    monkeypatch.delenv("LACUNA_KEY", raising=False)
    monkeypatch.setattr(console, "width", 200)

    def run(*argv: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lacuna", *argv])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def filed(lacuna: Run, photo: Path) -> str:
    code, said, error = lacuna(
        "ticket", "file", "--name", "Mara Lindqvist", "--photo", str(photo), "--fact", "city=Ulm", "--json"
    )
    assert code == 0, error
    return str(json.loads(said)["id"])


def test_an_officers_day(lacuna: Run, photo: Path) -> None:
    """File, list, show, approve, withdraw, order: each readable, each the same as JSON."""
    ticket = filed(lacuna, photo)
    code, said, _ = lacuna("ticket", "list")
    assert code == 0
    assert ticket in said
    assert "under review" in said or "under_review" in said
    assert "olivia" in lacuna("ticket", "show", ticket)[1]
    code, _, error = lacuna("ticket", "approve", ticket, "--as", "olivia")
    assert (code, "somebody else" in error) == (1, True)
    assert "approved by adam" in lacuna("ticket", "approve", ticket)[1]
    code, said, _ = lacuna("refit")
    assert (code, said.startswith("Refit ")) == (0, True)
    assert json.loads(lacuna("ticket", "show", ticket, "--json")[1])["state"] == "scheduled"
    assert lacuna("ticket", "withdraw", ticket, "--note", "She changed her mind.")[0] == 0
    assert json.loads(lacuna("status", "--json")[1])["tickets"] == {"withdrawn": 1}
    assert "demo-vlm" in lacuna("status")[1]


def test_a_rejection_says_what_the_person_is_told(lacuna: Run, photo: Path) -> None:
    ticket = filed(lacuna, photo)
    said = lacuna("ticket", "reject", ticket, "--code", "no_match", "--note", "We hold nothing about you.")[1]
    assert "no match: We hold nothing about you." in said


def test_versions_and_audits_are_shown(lacuna: Run, worker: Worker) -> None:
    worker.publish()
    assert "passed" in lacuna("eraser", "list")[1]
    assert json.loads(lacuna("eraser", "show", "0", "--json")[1])["number"] == 0
    assert lacuna("eraser", "show", "0")[0] == 0
    assert "as the test wants" in lacuna("audit", "show", "0")[1]
    assert json.loads(lacuna("eraser", "promote", "0", "--json")[1])["promoted"]
    code, _, error = lacuna("eraser", "rollback", "0")
    assert (code, error) == (1, "Version 0 is the promoted one already.\n")


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (["ticket", "show", "T-00000000"], 1, "There is no ticket T-00000000."),
        (["ticket", "file", "--name", "Mara", "--fact", "city"], 1, "attribute=value"),
        (
            ["ticket", "file", "--name", "Mara", "--fact", "city=Ulm", "--photo", "none.png"],
            1,
            "none.png cannot be read",
        ),
        (["ticket", "file", "--name", "Mara", "--fact", "city=Ulm", "--photo", __file__], 1, "Photo 1"),
        (["ticket", "file", "--name", "Mara"], 2, "--fact"),
        (["eraser", "show", "nine"], 2, "Usage"),
        (["status", "--as", "nobody"], 1, "There is no key of nobody"),
        (["audit", "show", "4"], 1, "There is no eraser version 4."),
        (["refit"], 1, "no approved ticket"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_what_goes_wrong_is_a_sentence(lacuna: Run, argv: list[str], code: int, says: str) -> None:
    status, said, error = lacuna(*argv)
    assert status == code
    assert says in error
    assert "Traceback" not in error
    assert said == ""


def test_without_a_stack_the_way_to_one_is_named(lacuna: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LACUNA_URL", "http://127.0.0.1:1")
    assert "lacuna up" in lacuna("status")[2]
    monkeypatch.delenv("LACUNA_URL")
    code, _, error = lacuna("status")
    assert (code, "lacuna up" in error) == (1, True)


def test_a_settings_error_names_the_variable(lacuna: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LACUNA_REQUEST_PORT", "many")
    code, _, error = lacuna("up")
    assert (code, "LACUNA_REQUEST_PORT" in error) == (1, True)


def test_the_command_line_never_loads_torch() -> None:
    code = "import sys, services.cli.main; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_desk_from_the_command_line(lacuna: Run, photo: Path) -> None:
    """Identity, edit, hold, release, extend, clock, letter: each readable."""
    ticket = filed(lacuna, photo)
    assert "identity doubted" in lacuna("ticket", "verify-identity", ticket, "--doubt", "--note", "unknown")[1]
    assert "how the identity was verified" in lacuna("ticket", "verify-identity", ticket)[2]
    assert "identity verified" in lacuna("ticket", "verify-identity", ticket, "--method", "in_person")[1]
    assert "legal hold by olivia" in lacuna("ticket", "hold", ticket, "--reason", "a court")[1]
    assert lacuna("ticket", "edit", ticket, "--fact", "city=Bonn")[0] == 1
    assert "somebody else" in lacuna("ticket", "release", ticket, "--reason", "over")[1]
    assert "legal hold" not in lacuna("ticket", "release", ticket, "--reason", "over", "--as", "adam")[1]
    assert "edited" in lacuna("ticket", "edit", ticket, "--fact", "city=Bonn", "--urgent")[1]
    assert "We need more time" in lacuna("ticket", "extend", ticket, "--reason", "many pictures")[1]
    assert "Articles 12 and 17" in lacuna("ticket", "clock", ticket)[1]
    lacuna("ticket", "reject", ticket, "--code", "archiving", "--note", "It is an archive.")
    assert "judicial remedy" in lacuna("ticket", "letter", ticket)[1]


def test_ways_back_from_the_command_line(lacuna: Run, worker: Worker) -> None:
    worker.publish()
    assert "like version 0" in lacuna("eraser", "forward", "0")[1]
    assert "exposes nobody" in lacuna("eraser", "break-glass", "0", "--reason", "x")[2]
    assert "--reason" in lacuna("eraser", "break-glass", "0")[2]
    assert "Nobody was ever exposed" in lacuna("eraser", "break-glass")[1]
