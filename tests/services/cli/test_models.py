"""`lacuna model`: profiles are made in a process of their own, found again, and printed."""

import json
import sys
from pathlib import Path

import pytest

from services.cli.main import main
from services.cli.render.tables import console
from shared.evaluation.model_profile import FILE
from tests.support.profiles import example_profile


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one profile."""
    profile = example_profile("models/x")
    folder = tmp_path / "profiles" / profile.site[:32]
    folder.mkdir(parents=True)
    (folder / FILE).write_text(json.dumps(profile.to_json()))
    monkeypatch.setenv("LACUNA_DATA", str(tmp_path))
    monkeypatch.setattr(console, "width", 240)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run `lacuna WORDS`; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["lacuna", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("wanted", [(), ("models/x",), ("abab",)])
def test_profile_is_found_by_nothing_by_source_or_by_site(
    data: Path, wanted: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "model", "show", *wanted) == 0
    out = capsys.readouterr().out
    assert "Profile of models/x" in out
    assert "1 of 500 public figures: Marie Curie." in out
    assert "The gate reads 1 of 3 blocks (1 to 1): 100.0 %" in out
    assert "no steering" in out


def test_profile_as_json_is_the_whole_file(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "model", "show", "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(example_profile("models/x").to_json()))


def test_unknown_profile_is_refused_with_the_way_out(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "model", "show", "models/y") == 1
    assert "lacuna model profile SOURCE" in capsys.readouterr().err


def test_folder_without_a_model_is_refused_in_a_sentence(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert run(monkeypatch, "model", "profile", str(tmp_path / "empty")) == 1
    err = capfd.readouterr().err
    assert str(tmp_path / "empty") in err
    assert "Traceback" not in err
