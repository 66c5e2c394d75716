"""The lock of a profile: one process at a time, and the next one after it."""

import errno
import fcntl
import logging
from pathlib import Path
from typing import Any

import pytest

from services.refit.profile.lock import alone
from shared.errors import Unavailable


def test_second_process_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    """It is told who the first one is. Another profile in the same folder is not held up."""
    folder = tmp_path / "profiles"
    with alone(folder, "abab", "`lacuna model profile`"):
        with (
            pytest.raises(Unavailable, match=r"`lacuna model profile` \(process \d+ on .+\) is making the profile"),
            alone(folder, "abab", "A refit worker"),
        ):
            pass
        with alone(folder, "cdcd", "A refit worker"):
            pass
    with (
        alone(folder, "abab", "A refit worker"),
        pytest.raises(Unavailable, match="A refit worker"),
        alone(folder, "abab", "`lacuna model profile`"),
    ):
        pass


def test_file_system_without_locks_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def without_locks(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without_locks)
    with caplog.at_level(logging.WARNING), alone(tmp_path, "abab", "A refit worker"):
        pass
    assert "cannot be locked (No locks available)" in caplog.text
