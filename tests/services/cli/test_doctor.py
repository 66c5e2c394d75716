"""`lacuna doctor` names what is wrong and what is in order, and leaves with an exit code that says so."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from services.cli.commands import doctor
from tests.services.cli.conftest import RunCommand
from tests.support.api import People
from tests.support.workers import Worker


def found(lacuna: RunCommand, code: int) -> dict[str, tuple[bool, str]]:
    looked = lacuna("doctor", "--json")
    assert looked.code == code, looked.out
    findings = json.loads(looked.out)["findings"]
    return {finding["point"]: (finding["in_order"], finding["detail"]) for finding in findings}


def test_what_is_wrong_is_named_and_what_is_good_too(
    lacuna: RunCommand,
    people: People,
    worker: Worker,
    listening: Callable[[Any], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LACUNA_INFERENCE_URL", "http://127.0.0.1:9")
    before = found(lacuna, 1)
    assert before["request API"] == (True, "It answers, and takes the key of olivia.")
    assert before["served version"][0] is before["replicas"][0] is before["inference service"][0] is False
    assert "No service answers" in before["inference service"][1]
    assert "WRONG" in lacuna("doctor").out

    inference = FastAPI()
    inference.get("/readyz")(lambda: {"eraser": 0})
    monkeypatch.setenv("LACUNA_INFERENCE_URL", listening(inference))
    number = worker.publish()
    people["oscar"].post(f"/v1/erasers/{number}/promote")
    worker.serve(1, number)
    after = found(lacuna, 1)
    assert [point for point, (in_order, _) in after.items() if not in_order] == ["database"]  # no loop writes its mark
    assert after["served version"][1] == f"Version {number} of demo-vlm."


def test_disk_is_looked_at_where_the_data_is_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.delenv("LACUNA_URL", raising=False)
    (enough,) = doctor._disk(tmp_path / "not" / "yet")
    assert str(tmp_path) in enough.detail
    monkeypatch.setattr(doctor, "LEAST_FREE", 1 << 62)
    (full,) = doctor._disk(tmp_path)
    assert not full.in_order
    monkeypatch.setenv("LACUNA_URL", "http://127.0.0.1:9")
    assert list(doctor._disk(tmp_path)) == []
