"""The commands of docs/api.md are run as written, and each must succeed."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.request.auth.permissions import PERMISSIONS
from tests.support.api import People

PAGE = (Path(__file__).resolve().parents[2] / "docs/api.md").read_text()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_page_commands_succeed(people: People, listening: Callable[[Any], str], tmp_path: Path) -> None:
    script = "set -euo pipefail\n" + "\n".join(re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL))
    env = {
        "PATH": os.environ["PATH"],
        "URL": listening(people.app.app),
        "KEY": people.keys["olivia"],
        "KEY2": people.keys["adam"],
        "ADMIN": people.keys["rosa"],
        "ADMIN2": people.keys["viktor"],
    }
    ran = subprocess.run(
        ["/bin/bash", "-c", script], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert '"state":"approved"' in ran.stdout


def test_every_setting_and_path_of_the_page_exists() -> None:
    for scope in re.findall(r'"scopes": \["([a-z:]+)"', PAGE):
        assert scope in {rule.scope for rule in PERMISSIONS.values()}
