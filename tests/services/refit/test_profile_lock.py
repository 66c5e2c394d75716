"""A refit whose model is being profiled by another process waits; its tickets are forgotten afterwards."""

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from services.refit.profile import run
from tests.support.refits import RefitHarness, facts_of

HOLD = """
import sys
from pathlib import Path
from services.refit.profile.lock import alone
with alone(Path(sys.argv[1]), sys.argv[2], "`lacuna model profile`"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another_process(folder: Path, name: str) -> Iterator[None]:
    with Popen([sys.executable, "-c", HOLD, str(folder), name], stdin=PIPE, stdout=PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield
        assert process.stdin is not None
        process.stdin.close()


def test_refit_waits_while_another_process_makes_the_profile(
    harness: RefitHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_alone(*_: Any) -> None:
        raise AssertionError("a step was made beside the other process")

    person, run_id = harness.reference.of("forgettable")[0], str(uuid.uuid4())
    ticket = harness.file(person.subject.names, facts_of(person), [])
    context = replace(harness.context, profiles=tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("services.refit.context.load_beside_model", lambda *_: None)
        patched.setattr(run, "measure_loading", not_alone)
        with held_by_another_process(tmp_path, context.engine.vlm.site.digest[: run.NAME_LENGTH]):
            waiting = harness.refit(run_id=run_id, context=context)
    assert waiting.status == "waiting"
    assert "`lacuna model profile` (process " in str(waiting.error)
    assert harness.ticket(ticket)["state"] == "fitting"
    assert harness.refit(run_id=run_id).status == "succeeded"  # the same order, given again
