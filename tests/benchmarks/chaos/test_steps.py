"""The table of chaos steps: every step names a function that exists, and an armed step pauses one process, once."""

import importlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmarks.chaos.fault_injection import ARMED, REACHED, resolve, wrap
from benchmarks.chaos.plan import plan, short_plan
from benchmarks.chaos.stack import BACKENDS, PROCESSES
from benchmarks.chaos.steps import STEPS, Step
from benchmarks.chaos.stubs import STUBS

PROJECT_ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("target", sorted({t for step in STEPS for t in (step.target, step.follows) if t}))
def test_target_of_every_step_is_a_function_that_exists(target: str) -> None:
    module, _, path = target.partition(":")
    owner, name = resolve(importlib.import_module(module), path)
    assert callable(getattr(owner, name))


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("shared.evaluation.reference", ["load_reference"]),
        ("services.audit.suite", ["paper_tasks", "BYSTANDER_QUESTIONS"]),
        ("services.refit.beat", ["app"]),
        ("shared.domain.nightly", ["latest_run_date", "scheduled_at"]),
    ],
)
def test_names_that_a_stub_replaces_exist(module: str, names: list[str]) -> None:
    assert module in STUBS
    imported = importlib.import_module(module)
    assert [name for name in names if not hasattr(imported, name)] == []


def test_process_with_the_injected_path_has_steps_and_stubs(folder: Path) -> None:
    program = (
        "import shared.domain.nightly, shared.db.repositories.audits as audits;"
        "print(shared.domain.nightly.latest_run_date.__qualname__, hasattr(audits.claim_audit, '__wrapped__'))"
    )
    path = os.pathsep.join((str(PROJECT_ROOT), str(PROJECT_ROOT / "benchmarks/chaos/inject")))
    environment = os.environ | {"PYTHONPATH": path, "CHAOS_FOLDER": str(folder)}
    process = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert (process.stdout, process.stderr) == ("_nightly.<locals>.latest_run_date True\n", "")


def test_production_files_do_not_mention_chaos() -> None:
    for folder in ("services", "shared", "migrations", "k8s"):
        for path in (PROJECT_ROOT / folder).rglob("*.*"):
            if path.suffix in (".py", ".yaml"):
                assert "chaos" not in path.read_text().lower(), path
    assert "CHAOS" not in (PROJECT_ROOT / "docker-compose.yml").read_text()


def test_plan_of_120_trials_reaches_every_step_and_every_victim() -> None:
    trials = plan(1, 120)
    assert {trial.step for trial in trials} == set(STEPS)
    assert {victim for trial in trials for victim in trial.victims} == {*PROCESSES, *BACKENDS}
    assert {trial.kind for trial in trials} == {"kill", "freeze"}


def test_plan_of_same_seed_is_same_and_of_other_seed_is_different() -> None:
    assert plan(1, 120) == plan(1, 120)
    assert plan(1, 120) != plan(2, 120)


def test_short_plan_kills_every_backend_the_control_loop_and_a_refit_worker() -> None:
    assert {victim for trial in short_plan(1) for victim in trial.victims} >= {*BACKENDS, "control-loop", "refit"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of armed and reached steps."""
    for name in (ARMED, REACHED):
        (tmp_path / name).mkdir()
    return tmp_path


def wait_until_reached(folder: Path, step: Step) -> None:
    """Wait until a thread stands at the step, for ten seconds at most."""
    until = time.monotonic() + 10
    while not (folder / REACHED / step.name).exists():
        assert time.monotonic() < until, f"{step.name} was not reached"
        time.sleep(0.005)


def test_armed_step_pauses_first_matching_call_only(folder: Path) -> None:
    calls: list[str] = []
    step = Step("uploaded", "refit", "after", "m:put", key="erasers/")
    put = wrap(folder, [step], [], calls.append)
    put("erasers/1")  # not armed
    (folder / ARMED / step.name).touch()
    put("rows/1")  # armed, and the key of another object
    assert calls == ["erasers/1", "rows/1"]
    thread = threading.Thread(target=put, args=("erasers/2",))
    thread.start()
    wait_until_reached(folder, step)
    assert (calls[-1], thread.is_alive()) == ("erasers/2", True)
    put("erasers/3")  # the step is taken already: this call does not pause
    (folder / REACHED / step.name).unlink()
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_step_that_follows_a_call_is_passed_until_that_call(folder: Path) -> None:
    step = Step("committed", "control-loop", "before", "m:next", follows="m:write")
    write, call_next = wrap(folder, [], [step], lambda: None), wrap(folder, [step], [], lambda: None)
    (folder / ARMED / step.name).touch()
    call_next()
    assert (folder / ARMED / step.name).exists()
    write()
    thread = threading.Thread(target=call_next)
    thread.start()
    wait_until_reached(folder, step)
    (folder / REACHED / step.name).unlink()
    thread.join(timeout=10)
    assert not thread.is_alive()
