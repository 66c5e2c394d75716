"""The supervisor notices children that end, stops them in order, and leaves none behind."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.devstack.commands import Command
from shared.devstack.processes import PROJECT_ROOT
from shared.devstack.restarts import ProcessState, RestartPolicy
from shared.devstack.supervisor import Supervisor
from shared.errors import Unavailable

ENV = {"PATH": os.environ["PATH"]}
SLEEPER = "import time\nprint('up', flush=True)\ntime.sleep(600)"
WITH_CHILD = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True)\ntime.sleep(600)"
)


def wait(done: Callable[[], bool], seconds: float = 20) -> None:
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not done():
        assert time.monotonic() < deadline, "waited in vain"
        pause.wait(0.02)


def gone(pid: int) -> bool:
    """Whether the process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def python(name: str, code: str, **more: object) -> Command:
    return Command(name, [sys.executable, "-c", code], ENV, **more)  # type: ignore[arg-type]


@pytest.fixture
def lines() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def supervisor(lines: list[tuple[str, str]]) -> Iterator[Supervisor]:
    supervisor = Supervisor(lambda name, line: lines.append((name, line)))
    yield supervisor
    supervisor.stop()


def test_child_that_ends_is_reported_with_its_last_output(supervisor: Supervisor) -> None:
    supervisor.start(python("worker", "print('the disk is full'); raise SystemExit(3)"))
    assert supervisor.failed.wait(20)
    assert supervisor.reason == "worker ended unexpectedly (exit status 3). Its last output:\n  the disk is full"


def test_child_that_ends_before_it_is_ready_is_an_error(supervisor: Supervisor) -> None:
    with pytest.raises(Unavailable, match=r"service ended unexpectedly \(exit status 1\)"):
        supervisor.start(python("service", "raise SystemExit(1)", ready=lambda: False))


def test_child_that_is_never_ready_is_an_error(supervisor: Supervisor) -> None:
    with pytest.raises(Unavailable, match="service did not come up within 1 s"):
        supervisor.start(python("service", SLEEPER, ready=lambda: False, patience_s=1))


def test_stop_leaves_no_process_of_any_child(supervisor: Supervisor, lines: list[tuple[str, str]]) -> None:
    supervisor.start(python("parent", WITH_CHILD))
    wait(lambda: bool(lines))
    parent, child = supervisor.pid("parent"), int(lines[0][1])
    assert not gone(parent)
    assert not gone(child)
    supervisor.stop()
    wait(lambda: gone(parent) and gone(child))
    assert not supervisor.failed.is_set()


def test_backends_are_stopped_after_the_services(supervisor: Supervisor, lines: list[tuple[str, str]]) -> None:
    code = (
        "import os, signal, sys, time\n"
        # not print: the signal may arrive while the line before is still being flushed
        "def bye(*_):\n    os.write(1, b'bye\\n')\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, bye)\nprint('up', flush=True)\ntime.sleep(600)"
    )
    supervisor.start(python("database", code, backend=True))
    supervisor.start(python("service", code))
    wait(lambda: len(lines) == 2)
    supervisor.stop()
    wait(lambda: len(lines) == 4)
    assert lines[2:] == [("service", "bye"), ("database", "bye")]


def test_killed_child_starts_again(supervisor: Supervisor, lines: list[tuple[str, str]]) -> None:
    supervisor.start(python("worker", SLEEPER))
    first = supervisor.pid("worker")
    os.kill(first, signal.SIGKILL)
    assert supervisor.failed.wait(20)
    assert "signal 9" in supervisor.reason
    supervisor.restart("worker")
    assert supervisor.pid("worker") != first
    assert not supervisor.failed.is_set()


QUICK = RestartPolicy(most=3, window_s=60, first_pause_s=0.05, longest_pause_s=0.1)


def states_of(supervisor: Supervisor, policy: RestartPolicy = QUICK) -> list[list[ProcessState]]:
    """The states that the supervisor reports from now on, while it keeps its children running."""
    reported: list[list[ProcessState]] = []
    supervisor.keep_running(policy, reported.append)
    return reported


def test_kept_child_that_is_killed_runs_again_and_is_reported(
    supervisor: Supervisor, lines: list[tuple[str, str]]
) -> None:
    supervisor.start(python("worker", SLEEPER))
    wait(lambda: bool(lines))
    states = states_of(supervisor)
    first = supervisor.pid("worker")
    os.kill(first, signal.SIGKILL)
    wait(lambda: lines.count(("worker", "up")) == 2)
    wait(lambda: states[-1][0].state == "running" and states[-1][0].restarts == 1)
    assert not supervisor.failed.is_set()
    assert supervisor.pid("worker") == states[-1][0].pid != first
    assert states[-1][0].last_end == "signal 9"
    said = [line for name, line in lines if name == "supervisor"]
    assert said[0].startswith("worker ended unexpectedly (signal 9). It is started again in 0.05 s (1 of at most 3")
    assert said[1].startswith("worker runs again after")


def test_kept_child_is_killed_with_its_own_children_before_it_starts_again(
    supervisor: Supervisor, lines: list[tuple[str, str]]
) -> None:
    """They would hold its ports, and the output of which the end would otherwise be the sign."""
    supervisor.start(python("parent", WITH_CHILD))
    wait(lambda: bool(lines))
    states_of(supervisor)
    grandchild = int(lines[0][1])
    os.kill(supervisor.pid("parent"), signal.SIGKILL)
    wait(lambda: len([name for name, _ in lines if name == "parent"]) == 2)
    assert gone(grandchild)


def test_kept_child_that_ends_again_and_again_ends_the_stack(
    supervisor: Supervisor, lines: list[tuple[str, str]]
) -> None:
    states_of(supervisor)
    supervisor.start(python("worker", "print('the disk is full'); raise SystemExit(3)"), wait=False)
    assert supervisor.failed.wait(20)
    assert supervisor.reason == (
        "worker ended unexpectedly (exit status 3). Its last output:\n  the disk is full\n"
        "worker ended 4 times within 60 s and is not started again."
    )
    assert lines.count(("worker", "the disk is full")) == 4


def test_pause_before_a_restart_doubles_up_to_a_bound() -> None:
    policy = RestartPolicy()
    assert [policy.pause_s(ends) for ends in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_ends_that_are_long_ago_do_not_count(supervisor: Supervisor, lines: list[tuple[str, str]]) -> None:
    states = states_of(supervisor, RestartPolicy(most=1, window_s=0.5, first_pause_s=0.05))
    supervisor.start(python("worker", "import time; print('up', flush=True); time.sleep(1)"))
    wait(lambda: lines.count(("worker", "up")) == 4)
    assert not supervisor.failed.is_set()
    assert states[-1][0].restarts >= 3


def test_child_that_no_restart_repairs_ends_the_stack_at_once(
    supervisor: Supervisor, lines: list[tuple[str, str]]
) -> None:
    states_of(supervisor)
    code = (
        "from shared.core.exits import ends_the_process\nfrom shared.errors import BadInput\n"
        "import logging, threading\nlogging.basicConfig()\n"
        "def load():\n with ends_the_process('the model cannot be served'):\n  raise BadInput('No such model.')\n"
        "thread = threading.Thread(target=load)\nthread.start()\nthread.join(600)"
    )
    env = {**ENV, "PYTHONPATH": str(PROJECT_ROOT)}
    supervisor.start(Command("inference", [sys.executable, "-c", code], env))
    assert supervisor.failed.wait(20)
    assert "exit status 78" in supervisor.reason
    assert "the model cannot be served; no restart repairs this: No such model." in supervisor.reason
    assert supervisor.reason.endswith("By its exit status, no restart repairs this.")
    assert [name for name, _ in lines if name == "supervisor"] == []


def test_kept_child_that_is_not_ready_in_time_is_killed_and_counted(
    supervisor: Supervisor, tmp_path: Path, lines: list[tuple[str, str]]
) -> None:
    answers = tmp_path / "answers"
    answers.touch()
    supervisor.start(python("service", SLEEPER, ready=answers.exists, patience_s=0.4))
    states_of(supervisor)
    answers.unlink()
    os.kill(supervisor.pid("service"), signal.SIGKILL)
    wait(lambda: ("supervisor", "service did not come up within 0 s and is killed.") in lines)
    answers.touch()
    wait(lambda: any(line.startswith("service runs again after") for _, line in lines))
    assert not supervisor.failed.is_set()


def test_stop_during_the_pause_before_a_restart_starts_nothing(
    supervisor: Supervisor, lines: list[tuple[str, str]]
) -> None:
    states = states_of(supervisor, RestartPolicy(first_pause_s=0.5))
    supervisor.start(python("worker", SLEEPER))
    wait(lambda: bool(lines))
    os.kill(supervisor.pid("worker"), signal.SIGKILL)
    wait(lambda: states[-1][0].state == "waiting" if states[-1] else False)
    supervisor.stop()
    threading.Event().wait(1)
    assert lines.count(("worker", "up")) == 1
    assert gone(supervisor.pid("worker"))


def test_killed_owner_leaves_no_child(tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import os, sys, time
            from shared.devstack.commands import Command
            from shared.devstack.supervisor import Supervisor
            owner = Supervisor(lambda name, line: None)
            owner.start(Command("child", [sys.executable, "-c", {SLEEPER!r}], dict(os.environ)))
            print(owner.pid("child"), flush=True)
            time.sleep(600)
            """
        )
    )
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
    ) as owner:
        assert owner.stdout is not None
        child = int(owner.stdout.readline())
        assert not gone(child)
        owner.kill()
    wait(lambda: gone(child))
