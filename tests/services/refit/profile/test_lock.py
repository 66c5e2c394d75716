"""The lock of a profile: one process at a time, and the next one after it."""

from pathlib import Path

import pytest

from services.refit.profile.lock import alone
from shared.errors import BadInput


def test_second_process_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    """Another profile in the same folder is not held up."""
    folder = tmp_path / "profiles"
    with alone(folder, "abab"):
        with pytest.raises(BadInput, match="Another process is making the profile"), alone(folder, "abab"):
            pass
        with alone(folder, "cdcd"):
            pass
    with alone(folder, "abab"):
        pass
