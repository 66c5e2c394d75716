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

from shared.devstack.processes import PROJECT_ROOT
from shared.devstack.supervisor import Command, Supervisor
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


def test_killed_owner_leaves_no_child(tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import os, sys, time
            from shared.devstack.supervisor import Command, Supervisor
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
