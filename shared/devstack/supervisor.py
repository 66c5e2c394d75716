"""Starts child processes in order, prefixes their logs, notices their deaths, and leaves none behind.

Children die with this process even where it is killed (PR_SET_PDEATHSIG, set by `setpriv`). Knows not what they do.
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
    """How to run a child. `ready` is asked until it is true; `unprivileged` drops root."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    ready: Callable[[], bool] | None = None
    cwd: Path | None = None
    unprivileged: bool = False
    part: bool = False  # others stand on it: stopped last
    stop_signal: signal.Signals = signal.SIGTERM
    patience_s: float = 30.0


@dataclass
class _Child:
    command: Command
    process: subprocess.Popen[str]
    tail: list[str] = field(default_factory=list)


class Supervisor:
    """Not a daemon: it lives in the process that owns the stack. Start children from a thread that stays."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._children: list[_Child] = []
        self._stopping = False
        self.fallen = threading.Event()
        self.why = ""

    def start(self, command: Command, *, wait: bool = True) -> None:
        """Start a child and, unless told otherwise, wait until it is ready; raises Unavailable, in a sentence."""
        argv = [*_guard(command), *command.argv]
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
        threading.Thread(target=self._follow, args=(child,), name=command.name, daemon=True).start()
        if wait:
            self.wait(command.name)

    def wait(self, name: str) -> None:
        """Wait until the child is ready; raises Unavailable where it dies or takes too long."""
        child = next(one for one in self._children if one.command.name == name)
        ready, deadline = child.command.ready, time.monotonic() + child.command.patience_s
        pause = threading.Event()
        while ready is not None and not ready():
            if child.process.poll() is not None or self.fallen.is_set():
                raise Unavailable(self.why or self._death(child))
            if time.monotonic() > deadline:
                raise Unavailable(f"{name} did not come up within {child.command.patience_s:.0f} s.{_said(child)}")
            pause.wait(0.05)

    def pid(self, name: str) -> int:
        """The process of a child."""
        return next(one.process.pid for one in self._children if one.command.name == name)

    def restart(self, name: str) -> None:
        """Start a child that has fallen anew; wait until it is ready."""
        child = next(one for one in self._children if one.command.name == name)
        _signal(child.process, signal.SIGKILL)
        child.process.wait()
        self._children.remove(child)
        self.fallen.clear()
        self.start(child.command)

    def forget(self, name: str) -> None:
        """Kill a child for good, without that counting as a fall."""
        child = next(one for one in self._children if one.command.name == name)
        self._children.remove(child)
        _signal(child.process, signal.SIGKILL)
        child.process.wait()

    def command(self, name: str) -> Command:
        """How a child was started."""
        return next(one.command for one in self._children if one.command.name == name)

    def stop(self) -> None:
        """Stop all, what stands on others first; who does not go within ten seconds is killed."""
        self._stopping = True
        for floor in (False, True):
            self._stop([child for child in self._children if child.command.part is floor])

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
            _signal(child.process, signal.SIGKILL)  # whoever is left of its group
            child.process.wait()

    def _follow(self, child: _Child) -> None:
        assert child.process.stdout is not None
        with child.process.stdout as lines:
            for line in lines:
                child.tail = [*child.tail[-KEPT_LINES + 1 :], line.rstrip()]
                self._log(child.command.name, line.rstrip())
        child.process.wait()
        if child in self._children and not self._stopping and not self.fallen.is_set():
            self.why = self._death(child)
            self.fallen.set()

    def _death(self, child: _Child) -> str:
        code = child.process.poll()
        how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
        return f"{child.command.name} ended unexpectedly ({how}).{_said(child)}"


def _said(child: _Child) -> str:
    return " It said last:\n  " + "\n  ".join(child.tail) if child.tail else ""


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _guard(command: Command) -> list[str]:
    """`setpriv` in front: die with the parent, and drop root where wanted."""
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
