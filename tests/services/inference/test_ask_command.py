"""`lacuna ask` against the real inference service."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from services.cli.main import main
from tests.services.inference.conftest import ABOUT, Replica


def test_ask_prints_the_answer_and_the_fingerprint_of_the_version(
    replica: Replica,
    erasers: Any,
    listening: Callable[[Any], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    replica.publish(erasers["empty"])
    replica.watcher.look()
    monkeypatch.setenv("LACUNA_INFERENCE_URL", listening(replica.http.app))
    monkeypatch.setenv("LACUNA_DATA", str(tmp_path))
    Image.new("RGB", (64, 64)).save(tmp_path / "a.jpg")

    def lacuna(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["lacuna", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert not ended.value.code, printed.err
        return printed.out

    printed = lacuna("ask", ABOUT, "--photo", str(tmp_path / "a.jpg"), "--max-tokens", "4")
    assert printed.splitlines()[-1].startswith("lacuna-0-")
    assert json.loads(lacuna("ask", ABOUT, "--json"))["object"] == "chat.completion"
