"""`lacuna model`: profiles are made in a process of their own, found again, and printed."""

import json
import sys
from pathlib import Path
from subprocess import CompletedProcess

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


def test_profile_is_found_by_another_path_of_the_same_folder(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a slash at its end, or from within the folder beside it; a folder of another model is not it."""
    model, other = tmp_path / "mein Modell für alle", tmp_path / "other"
    model.mkdir()
    other.mkdir()
    profile = example_profile(str(model))
    (data / "profiles" / profile.site[:32] / FILE).write_text(json.dumps(profile.to_json()))
    monkeypatch.chdir(tmp_path)
    for wanted in (f"{model}/", model.name, f"./{model.name}/"):
        assert run(monkeypatch, "model", "show", wanted) == 0
        assert f"Profile of {model}" in capsys.readouterr().out
    assert run(monkeypatch, "model", "show", "other") == 1


@pytest.mark.parametrize("content", [b"{", b"[]", b'"x"', b"null", b"{}", b'{"schema": 1, "loading": 3}', b"\xff\xfe"])
def test_damaged_profile_is_refused_in_a_sentence(
    data: Path, content: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = (data / "profiles").glob(f"*/{FILE}")
    path.write_bytes(content)
    assert run(monkeypatch, "model", "show") == 1
    assert "profile" in capsys.readouterr().err


def test_process_that_is_killed_is_named(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where the machine runs out of memory."""
    killed = CompletedProcess([], -9, stdout="")
    monkeypatch.setattr("services.cli.commands.models._run", lambda *_, **__: killed)
    assert run(monkeypatch, "model", "profile", "models/x") == 1
    assert "was ended by signal 9" in capsys.readouterr().err


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
