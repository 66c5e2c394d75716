"""`lacuna audit`: rows of tickets, attacks by family, and the attack command, which runs in a process of its own."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from services.cli.commands.audits import ENVIRONMENT_FILE
from services.cli.main import main
from services.cli.render.erasers import print_attacks, print_audit
from services.cli.render.tables import console
from shared.devstack.stack import AUDIT_ENVIRONMENT_FILE, write_private
from shared.evaluation.attacks.results import Tally

FAMILIES = {"spelling": Tally(4, 3, 1, 4, 0).as_json()}
NEAR = {"nearer_to": "strangers", "difference": 0.4, "p_value": 0.002}
ROW = {
    "depth": "changed",
    "asked": 64,
    "told_before": 0.75,
    "told_after": 0.25,
    "told_after_interval": [0.15, 0.37],
    "controls": 4,
    "told_of_controls": 0.0,
    "attacks": FAMILIES["spelling"],
    "nearness": NEAR,
    "passed": False,
    "reason": "attacks: 25.0% tell more than attacks on strangers do, 20.0% are allowed",
}


def audit_with(**more: Any) -> dict[str, Any]:
    """An audit as the API answers."""
    report = {"panels": {}, "integrity": {"finite": True}, "not_run": ["white-box attacks"], "claim": "Suppression."}
    return {"number": 3, "verdict": "failed", "status": "succeeded", "reasons": [], "report": report | more}


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "width", 240)


def test_audit_prints_a_row_for_each_ticket_and_family(capsys: pytest.CaptureFixture[str]) -> None:
    tickets = {"T-1": ROW, "T-2": ROW | {"passed": True, "reason": "no more is revealed", "nearness": None}}
    print_audit(audit_with(ticket_verdicts=tickets, attacks={"families": FAMILIES}))
    weak, whole = (line for line in capsys.readouterr().out.splitlines() if line.startswith("T-"))
    assert weak.split()[:5] == ["T-1", "NO", "changed", "64", "75.0"]
    assert "15.0 %-37.0 %" in weak
    assert "0.002" in weak
    assert whole.split()[:2] == ["T-2", "yes"]


def test_audit_from_before_there_were_rows_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_audit(audit_with())
    out = capsys.readouterr().out
    assert "white-box attacks" in out
    assert "passes" not in out


@pytest.mark.parametrize(("near", "sentence"), [(NEAR, "p = 0.002"), (None, "Too few answers")])
def test_attacks_on_one_ticket_are_printed(near: Any, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_attacks({"ticket": "T-1", "version": 3, "families": FAMILIES, "nearness": near, "not_run": ["white-box"]})
    out = capsys.readouterr().out
    assert "spelling" in out
    assert "25.0 %" in out
    assert sentence in out


def attack(monkeypatch: pytest.MonkeyPatch, data: Path, *words: str) -> int:
    """Run `lacuna audit attack`; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["lacuna", "audit", "attack", "--ticket", "T-1", "--data", str(data), *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_attack_without_a_stack_here_says_where_to_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert attack(monkeypatch, tmp_path) == 1
    assert "python -m services.audit.attack --ticket T-1" in capsys.readouterr().err


def test_attack_runs_in_a_process_with_the_environment_of_the_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It refuses an unknown family in a sentence, before it loads the model."""
    assert ENVIRONMENT_FILE == AUDIT_ENVIRONMENT_FILE
    path = tmp_path / ENVIRONMENT_FILE
    write_private(path, {"LACUNA_LOG_LEVEL": "INFO", "HOME": "/nowhere"})
    assert json.loads(path.read_text()) == {"LACUNA_LOG_LEVEL": "INFO"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert attack(monkeypatch, tmp_path, "--version", "0", "--families", "spellling") == 1
    assert "There is no family spellling" in capfd.readouterr().err
