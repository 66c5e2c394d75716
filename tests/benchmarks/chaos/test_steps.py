"""The named steps are there: each stands at a function that exists, and a woven process stops there once, if armed."""

import importlib
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.chaos.fault_injection import ARMED, REACHED, place_of, wrapped
from benchmarks.chaos.plan import plan, short_plan
from benchmarks.chaos.stack import PARTS, PROCESSES
from benchmarks.chaos.steps import STEPS, Step

HOUSE = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("target", sorted({t for step in STEPS for t in (step.target, step.follows) if t}))
def test_every_step_stands_at_a_function_that_exists(target: str) -> None:
    module, _, path = target.partition(":")
    owner, name = place_of(importlib.import_module(module), path)
    assert callable(getattr(owner, name))


def test_nothing_in_production_knows_of_chaos() -> None:
    """No file that is installed speaks of the harness: what is not there cannot do harm."""
    for folder in ("services", "shared", "migrations", "k8s"):
        for path in (HOUSE / folder).rglob("*.*"):
            if path.suffix in (".py", ".yaml"):
                assert "chaos" not in path.read_text().lower(), path
    assert "CHAOS" not in (HOUSE / "docker-compose.yml").read_text()


def test_a_hundred_trials_reach_every_step_and_every_victim() -> None:
    trials = plan(1, 120)
    assert {trial.step for trial in trials} == set(STEPS)
    assert {one for trial in trials for one in trial.victims} == {*PROCESSES, *PARTS}
    assert {trial.kind for trial in trials} == {"kill", "freeze"}
    assert plan(1, 120) == trials != plan(2, 120)
    assert {one for trial in short_plan(1) for one in trial.victims} >= {*PARTS, "control-loop", "refit"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (ARMED, REACHED):
        (tmp_path / name).mkdir()
    return tmp_path


def test_an_armed_step_is_stopped_at_once_and_no_other(folder: Path) -> None:
    module = ModuleType("m")
    done: list[str] = []
    step = Step("uploaded", "refit", "after", "m:put", key="erasers/")
    put = wrapped(folder, [step], [], done.append)
    put("erasers/1")  # not armed
    (folder / ARMED / step.name).touch()
    put("rows/1")  # armed, and another object
    assert (done, module.__name__) == (["erasers/1", "rows/1"], "m")
    thread = threading.Thread(target=put, args=("erasers/2",))
    thread.start()
    until = time.monotonic() + 10
    while not (folder / REACHED / step.name).exists() and time.monotonic() < until:
        time.sleep(0.005)
    assert (done[-1], thread.is_alive()) == ("erasers/2", True)
    put("erasers/3")  # somebody else passes: a step is taken once
    (folder / REACHED / step.name).unlink()
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_a_step_that_follows_waits_for_the_call_before_it(folder: Path) -> None:
    step = Step("committed", "control-loop", "before", "m:next", follows="m:write")
    write, after = wrapped(folder, [], [step], lambda: None), wrapped(folder, [step], [], lambda: None)
    (folder / ARMED / step.name).touch()
    after()
    assert (folder / ARMED / step.name).exists()
    write()
    thread = threading.Thread(target=after)
    thread.start()
    until = time.monotonic() + 10
    while not (folder / REACHED / step.name).exists() and time.monotonic() < until:
        time.sleep(0.005)
    (folder / REACHED / step.name).unlink()
    thread.join(timeout=10)
    assert not thread.is_alive()
