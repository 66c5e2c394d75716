"""`lacuna` as a test runs it: in this process, against the real request service."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.cli.main import main
from services.cli.render.tables import console
from tests.support.api import People
from tests.support.pictures import portrait


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


RunCommand = Callable[..., Outcome]


@pytest.fixture
def lacuna(
    people: People,
    listening: Callable[[Any], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> RunCommand:
    """Runs `lacuna WORDS` as a user does, with the keys of the first accounts."""
    monkeypatch.setenv("LACUNA_URL", listening(people.app.app))
    monkeypatch.setenv("LACUNA_DATA", str(tmp_path))
    monkeypatch.delenv("LACUNA_KEY", raising=False)
    monkeypatch.setattr(console, "width", 240)

    def run(*words: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["lacuna", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture file."""
    path = tmp_path / "mara.png"
    portrait((90, 30, 30)).save(path)
    return path
