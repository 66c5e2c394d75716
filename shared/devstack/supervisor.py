"""Starts child processes, passes their output on, notices when one ends, and leaves none behind.

The children end with this process even where it is killed (PR_SET_PDEATHSIG, set by `setpriv`).
"""

import logging
import os
import pwd
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared.errors import Unavailable

logger = logging.getLogger(__name__)
Log = Callable[[str, str], None]
STOP_S: Final = 10.0
KEPT_LINES: Final = 12


@dataclass(frozen=True)
class Command:
    """How to run a child.

    `ready` is asked until it is true, for `patience_s` at most. An `unprivileged` child does not run as root. A
    `backend` is stopped after all other children, because they use it.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    ready: Callable[[], bool] | None = None
    cwd: Path | None = None
    unprivileged: bool = False
    backend: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    patience_s: float = 30.0


@dataclass
class _Child:
    command: Command
    process: subprocess.Popen[str]
    tail: list[str] = field(default_factory=list)


class Supervisor:
    """Owns the children of this process. Start them from a thread that lives as long as they do.

    `failed` is set when a child ends that nobody stopped; `reason` then says which, in a sentence.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._children: list[_Child] = []
        self._stopping = False
        self.failed = threading.Event()
        self.reason = ""

    def start(self, command: Command, *, wait: bool = True) -> None:
        """Start a child and, with `wait`, wait until it is ready. Raises Unavailable where it does not come up."""
        argv = [*_launcher(command), *command.argv]
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(command.env),
            cwd=command.cwd,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        child = _Child(command, process)
        self._children.append(child)
        threading.Thread(target=self._read_output, args=(child,), name=command.name, daemon=True).start()
        if wait:
            self.wait(command.name)

    def wait(self, name: str) -> None:
        """Wait until the child is ready. Raises Unavailable where it ends or takes too long."""
        child = self._child(name)
        ready, deadline = child.command.ready, time.monotonic() + child.command.patience_s
        pause = threading.Event()
        while ready is not None and not ready():
            if child.process.poll() is not None or self.failed.is_set():
                raise Unavailable(self.reason or self._describe_end(child))
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{name} did not come up within {child.command.patience_s:.0f} s.{_last_output(child)}"
                )
            pause.wait(0.05)

    def names(self) -> list[str]:
        """The names of the children, in the order in which they were started."""
        return [child.command.name for child in self._children]

    def pid(self, name: str) -> int:
        """The process id of a child."""
        return self._child(name).process.pid

    def restart(self, name: str) -> None:
        """Kill a child, where it still lives, start it again, and wait until it is ready."""
        child = self._child(name)
        _signal(child.process, signal.SIGKILL)
        child.process.wait()
        self._children.remove(child)
        self.failed.clear()
        self.start(child.command)

    def kill(self, name: str) -> None:
        """Kill a child for good. This does not count as a failure."""
        child = self._child(name)
        self._children.remove(child)
        _signal(child.process, signal.SIGKILL)
        child.process.wait()

    def command(self, name: str) -> Command:
        """How a child was started."""
        return self._child(name).command

    def stop(self) -> None:
        """Stop all children, the backends last. A child that does not end within ten seconds is killed."""
        self._stopping = True
        for backend in (False, True):
            self._stop([child for child in self._children if child.command.backend is backend])

    def _child(self, name: str) -> _Child:
        return next(child for child in self._children if child.command.name == name)

    def _stop(self, children: Sequence[_Child]) -> None:
        for child in children:
            if child.process.poll() is None:
                _signal(child.process, child.command.stop_signal)
        deadline = time.monotonic() + STOP_S
        for child in children:
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("%s had to be killed", child.command.name)
            _signal(child.process, signal.SIGKILL)  # what is left of its process group
            child.process.wait()

    def _read_output(self, child: _Child) -> None:
        assert child.process.stdout is not None
        with child.process.stdout as lines:
            for line in lines:
                child.tail = [*child.tail[-KEPT_LINES + 1 :], line.rstrip()]
                self._log(child.command.name, line.rstrip())
        child.process.wait()
        if child in self._children and not self._stopping and not self.failed.is_set():
            self.reason = self._describe_end(child)
            self.failed.set()

    def _describe_end(self, child: _Child) -> str:
        code = child.process.poll()
        how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
        return f"{child.command.name} ended unexpectedly ({how}).{_last_output(child)}"


def _last_output(child: _Child) -> str:
    return " Its last output:\n  " + "\n  ".join(child.tail) if child.tail else ""


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _launcher(command: Command) -> list[str]:
    """The `setpriv` command in front: end with the parent, and give up root where wanted."""
    tool = shutil.which("setpriv")
    dropping = command.unprivileged and os.geteuid() == 0
    if tool is None:
        if dropping:
            raise Unavailable(f"{command.name} does not run as root, and `setpriv` (util-linux) is not installed.")
        return []
    drop = []
    if dropping:
        nobody = pwd.getpwnam("nobody")
        drop = ["--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid), "--clear-groups"]
    return [tool, *drop, "--pdeathsig", "INT" if command.stop_signal == signal.SIGINT else "KILL", "--"]
