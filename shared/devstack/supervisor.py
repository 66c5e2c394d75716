"""Starts child processes, passes their output on, notices when one ends, and leaves none behind.

What happens then is asked for: the end of everything, as long as the stack is coming up and in tests, or a new start.
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
from typing import Final

from shared.core.exits import NO_RESTART
from shared.devstack.commands import Command
from shared.devstack.restarts import End, ProcessState, RestartPolicy, Restarts
from shared.errors import Unavailable

logger = logging.getLogger(__name__)
Log = Callable[[str, str], None]
STOP_S: Final = 10.0
KEPT_LINES: Final = 12
LAST_OUTPUT_S: Final = 2.0  # how long the rest of the output of a child that ended is waited for
NAME: Final = "supervisor"  # of its own lines in the log


@dataclass
class _Child:
    command: Command
    process: subprocess.Popen[str]
    tail: list[str] = field(default_factory=list)


class Supervisor:
    """Owns the children of this process. Start them from a thread that lives as long as they do.

    `failed` is set when a child ends that nobody stopped and that is not started again; `reason` then says which, in
    a sentence.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._children: list[_Child] = []
        self._lock = threading.Lock()  # held while a child is started or the stop begins
        self._stopping = False
        self._restarts: Restarts | None = None
        self.failed = threading.Event()
        self.reason = ""

    def keep_running(
        self, policy: RestartPolicy, changed: Callable[[list[ProcessState]], None] = lambda _: None
    ) -> None:
        """From now on start every child again that ends, as `policy` says.

        A child that ends with the exit status NO_RESTART is not started again. `changed` is called with the states of
        all children, now and whenever one changes.
        """
        self._restarts = Restarts(self, policy, changed)

    def start(self, command: Command, *, wait: bool = True) -> None:
        """Start a child and, with `wait`, wait until it is ready. Raises Unavailable where it does not come up."""
        self._children.append(self._spawn(command))
        if wait:
            self.wait(command.name)

    def _spawn(self, command: Command) -> _Child:
        process = subprocess.Popen(
            [*_launcher(command), *command.argv],
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
        reader = threading.Thread(target=self._read_output, args=(child,), name=f"{command.name} output", daemon=True)
        reader.start()
        threading.Thread(target=self._watch, args=(child, reader), name=command.name, daemon=True).start()
        return child

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
        command = self.command(name)
        self.kill(name)
        self.failed.clear()
        self.start(command)

    def kill(self, name: str) -> None:
        """Kill a child for good. This does not count as a failure."""
        child = self._child(name)
        self._children.remove(child)
        _signal(child.process, signal.SIGKILL)
        child.process.wait()

    def command(self, name: str) -> Command:
        """How a child was started."""
        return self._child(name).command

    def pids(self) -> Mapping[str, int]:
        """The process id of each child by name."""
        return {child.command.name: child.process.pid for child in self._children}

    def start_again(self, command: Command) -> bool:
        """Start a child in the place of the one that ended; False where everything is being stopped."""
        with self._lock:
            names = self.names()
            if self._stopping or self.failed.is_set() or command.name not in names:
                return False
            self._children[names.index(command.name)] = self._spawn(command)
        return True

    def kill_slow(self, name: str) -> None:
        """Kill a child that does not become ready; this counts as an end like every other."""
        _signal(self._child(name).process, signal.SIGKILL)

    def give_up(self, reason: str) -> None:
        """Set `failed`, with this reason."""
        self.reason = reason
        self.failed.set()

    def say(self, line: str) -> None:
        """Write a line of the supervisor's own to the log."""
        self._log(NAME, line)

    def stop(self) -> None:
        """Stop all children, the backends last. A child that does not end within ten seconds is killed."""
        with self._lock:
            self._stopping = True
        for backend in (False, True):
            self._stop([child for child in self._children if child.command.backend is backend])
        if self._restarts is not None:
            self._restarts.stop()

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

    def _watch(self, child: _Child, reader: threading.Thread) -> None:
        """Wait for the end of the child itself: its own children may hold its output open, and its ports."""
        code = child.process.wait()
        _signal(child.process, signal.SIGKILL)  # what is left of its process group
        reader.join(LAST_OUTPUT_S)
        if child not in self._children or self._stopping or self.failed.is_set():
            return
        sentence = self._describe_end(child)
        if code == NO_RESTART:
            self.give_up(f"{sentence}\nBy its exit status, no restart repairs this.")
        elif self._restarts is None:
            self.give_up(sentence)
        else:
            self._restarts.ended(End(child.command, _how(code), sentence))

    def _describe_end(self, child: _Child) -> str:
        return f"{child.command.name} ended unexpectedly ({_how(child.process.poll())}).{_last_output(child)}"


def _how(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"


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
