"""`lacuna model profile` as processes that are interrupted: it says so, leaves nothing half done, and goes on later."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.random_models import build
from services.refit.profile.__main__ import INTERRUPTED, STOPPED
from services.refit.profile.lock import alone
from shared.devstack.processes import PROJECT_ROOT

LACUNA = Path(sys.executable).with_name("lacuna")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    for part in build("llama", "tiny"):
        part.save_pretrained(folder)
    return folder


def stopped(model: Path, data: Path, moment: str, number: signal.Signals, *, terminal: bool) -> list[str]:
    """Run the command and stop it when it says `moment`: as a terminal does, or with a signal to its process alone.

    Returns what it said from then on; fails where a process of it is left.
    """
    process = subprocess.Popen(
        [str(LACUNA), "model", "profile", str(model), "--data", str(data)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    with process.stderr as lines:
        said = []
        for line in lines:
            said.append(line.rstrip())
            if line.startswith(moment):
                (os.killpg if terminal else os.kill)(process.pid, number)
                break
        said += [line.rstrip() for line in lines]
    assert process.wait(60) == INTERRUPTED, said
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    return said


def test_profile_that_is_interrupted_goes_on_after_its_finished_steps(model: Path, tmp_path: Path) -> None:
    profiles = tmp_path / "profiles"
    said = stopped(model, tmp_path, "Loading", signal.SIGINT, terminal=True)
    assert said[-1] == STOPPED
    assert len(said) <= 3  # it may have begun the first step

    said = stopped(model, tmp_path, "declining ...", signal.SIGTERM, terminal=False)
    assert said[-2:] == ["declining ...", STOPPED]
    (first,) = profiles.glob("*/steps/*")
    before = first.read_bytes()
    killed = first.with_name("2-declining.json.77.partial")  # as a process leaves it that is killed while it writes
    killed.write_bytes(b"{")

    said = stopped(model, tmp_path, "knowledge ...", signal.SIGINT, terminal=False)
    assert said[-3:] == ["declining ...", "knowledge ...", STOPPED]
    assert "loading ..." not in said
    assert [path.name for path in sorted(profiles.glob("*/steps/*"))] == ["1-loading.json", "2-declining.json"]
    assert first.read_bytes() == before

    (folder,) = (path.name for path in profiles.iterdir() if path.is_dir())
    with alone(profiles, folder, "A test"):
        pass


def test_interrupt_before_anything_is_imported_is_a_sentence(model: Path, tmp_path: Path) -> None:
    """The signal comes first: whoever starts the process has blocked it until it can be taken."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        command = [sys.executable, "-m", "services.refit.profile", "--out", str(tmp_path), "--", str(model)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        process.send_signal(signal.SIGINT)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    _, said = process.communicate()
    assert said.split() == STOPPED.split()
    assert process.returncode == INTERRUPTED


def test_interrupt_while_a_string_is_executed_ends_like_any_other(tmp_path: Path) -> None:
    """Modules that are imported late execute strings: those who define dataclasses and named tuples."""
    script = """
import sys, types
from services.refit.profile.__main__ import main

def profile(*_, **__):
    exec("import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)")

sys.modules["services.refit.profile.command"] = types.SimpleNamespace(profile=profile)
main()
"""
    (tmp_path / "interrupted.py").write_text(script)
    command = [sys.executable, "-m", "interrupted", "--out", str(tmp_path), "--", "model"]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT_ROOT}"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.stderr.split() == STOPPED.split()
    assert done.returncode == INTERRUPTED
