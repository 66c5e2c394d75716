"""`python -m services.refit.profile`: whatever goes wrong is a sentence and an exit code."""

import errno
import sys
from pathlib import Path
from typing import Any

import pytest

from services.refit.profile import __main__ as program
from services.refit.profile import command, run


@pytest.mark.parametrize(
    ("fault", "code", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device): make room there"),
        (PermissionError(errno.EACCES, "Permission denied"), 1, "or name another folder with --data"),
        (KeyboardInterrupt(), 130, "The finished steps are kept"),
    ],
)
def test_fault_ends_in_a_sentence(
    fault: BaseException,
    code: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing(*_: Any, **__: Any) -> Path:
        raise fault

    monkeypatch.setattr(command, "profile", failing)
    monkeypatch.setattr(sys, "argv", ["profile", "--out", str(tmp_path), "--", "--a-source"])
    monkeypatch.setattr(program, "stop_on_signals", lambda _: None)
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == code
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_nothing_is_left_of_a_file_for_which_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take the room that is missing; what was there before stays."""
    path = tmp_path / "steps.json"
    run._write_whole(path, b"before")

    def full(partial: Path, _: Path) -> None:
        assert partial.read_bytes() == b"after"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        run._write_whole(path, b"after")
    assert [file.name for file in tmp_path.iterdir()] == ["steps.json"]
    assert path.read_bytes() == b"before"


def test_nothing_is_left_of_a_file_whose_writing_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run._write_whole(tmp_path / "steps.json", b"after")
    assert list(tmp_path.iterdir()) == []
