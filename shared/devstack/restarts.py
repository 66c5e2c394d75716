"""Starts children again that end by themselves, later and later, and gives up where one ends too often.

One thread does this for as long as the supervisor lives: a child ends with the thread that started it
(PR_SET_PDEATHSIG), so a thread for each restart would not do.
"""

import json
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, Protocol

from shared.devstack.commands import Command
from shared.errors import LacunaError

STATES_FILE: Final = "processes.json"  # in the data folder, while the stack runs; `lacuna status` reads it
POLL_S: Final = 0.1  # between two questions whether a child is ready

State = Literal["running", "starting", "waiting"]


@dataclass(frozen=True)
class RestartPolicy:
    """A child is started again after `first_pause_s`, then twice as long each time, `longest_pause_s` at most.

    One that ends more than `most` times within `window_s` seconds is not started again.
    """

    most: int = 8
    window_s: float = 600.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0

    def pause_s(self, ends: int) -> float:
        """The pause after so many ends within the window."""
        return float(min(self.first_pause_s * 2 ** (ends - 1), self.longest_pause_s))


@dataclass(frozen=True)
class ProcessState:
    """What a process of the stack does. `restarts` counts since the start of the stack; times are ISO 8601, UTC."""

    name: str
    state: State
    pid: int
    restarts: int = 0
    last_end: str = ""  # such as "signal 9"
    last_end_at: str = ""


@dataclass(frozen=True)
class End:
    """A child has ended by itself. `how` is "signal 9" or "exit status 1"; `sentence` says so with its last output."""

    command: Command
    how: str
    sentence: str


class Children(Protocol):
    """What the restarts need of the supervisor."""

    def pids(self) -> Mapping[str, int]:
        """The process id of each child by name."""

    def start_again(self, command: Command) -> bool:
        """Start the child in the place of the one that ended; False where the stack is being stopped."""

    def kill_slow(self, name: str) -> None:
        """Kill a child that does not become ready; its end is reported like every other."""

    def give_up(self, reason: str) -> None:
        """End the stack."""

    def say(self, line: str) -> None:
        """Show a line to whoever watches the stack."""


@dataclass
class _Restart:
    """The child `command` on its way back."""

    command: Command
    since: float  # when it ended
    due: float | None  # when it is started; None once it is
    ready_by: float = 0.0


@dataclass
class _Record:
    ends: deque[float] = field(default_factory=deque)
    restarts: int = 0
    last_end: str = ""
    last_end_at: str = ""


class Restarts:
    """The thread. `changed` is called with the state of every process whenever one changes."""

    def __init__(
        self, children: Children, policy: RestartPolicy, changed: Callable[[list[ProcessState]], None] = lambda _: None
    ) -> None:
        self._children, self._policy, self._changed = children, policy, changed
        self._ends: queue.Queue[End | None] = queue.Queue()
        self._records: dict[str, _Record] = {}
        self._pending: dict[str, _Restart] = {}
        self._thread = threading.Thread(target=self._run, name="restarts", daemon=True)
        self._thread.start()

    def ended(self, end: End) -> None:
        """A child has ended by itself. Returns at once."""
        self._ends.put(end)

    def stop(self) -> None:
        """End the thread. Call it when all children have ended."""
        self._ends.put(None)

    def _run(self) -> None:
        self._report()
        while True:
            try:
                end = self._ends.get(timeout=self._pause_s())
            except queue.Empty:
                pass
            else:
                if end is None:
                    return
                self._schedule(end)
            for restart in list(self._pending.values()):
                self._advance(restart)

    def _pause_s(self) -> float | None:
        """Until something has to be done without a child ending; None where nothing has."""
        now = time.monotonic()
        return min(
            (POLL_S if each.due is None else max(0.0, each.due - now) for each in self._pending.values()), default=None
        )

    def _schedule(self, end: End) -> None:
        name, policy, now = end.command.name, self._policy, time.monotonic()
        record = self._records.setdefault(name, _Record())
        record.last_end, record.last_end_at = end.how, datetime.now(UTC).isoformat(timespec="seconds")
        record.ends.append(now)
        while now - record.ends[0] > policy.window_s:
            record.ends.popleft()
        count = len(record.ends)
        if count > policy.most:
            self._pending.pop(name, None)
            self._children.give_up(_too_often(end, count, policy))
            return
        pause_s = policy.pause_s(count)
        began = self._pending[name].since if name in self._pending else now
        self._pending[name] = _Restart(end.command, began, now + pause_s)
        self._children.say(
            f"{name} ended unexpectedly ({end.how}). It is started again in {pause_s:g} s ({count} of at most "
            f"{policy.most} times within {_window(policy)})."
        )
        self._report()

    def _advance(self, restart: _Restart) -> None:
        command, now = restart.command, time.monotonic()
        if restart.due is not None:
            if now < restart.due:
                return
            restart.due, restart.ready_by = None, now + command.patience_s
            try:
                if not self._children.start_again(command):
                    self._pending.pop(command.name)
                    return
            except (OSError, LacunaError) as exc:
                self.ended(End(command, "it could not be started", f"{command.name} could not be started: {exc}"))
                restart.ready_by = float("inf")
                return
            self._records[command.name].restarts += 1
            self._report()
        elif command.ready is None or command.ready():
            del self._pending[command.name]
            self._children.say(f"{command.name} runs again after {now - restart.since:.1f} s.")
            self._report()
        elif now > restart.ready_by:
            restart.ready_by = float("inf")
            self._children.say(f"{command.name} did not come up within {command.patience_s:.0f} s and is killed.")
            self._children.kill_slow(command.name)

    def _report(self) -> None:
        states = []
        for name, pid in self._children.pids().items():
            record, restart = self._records.get(name, _Record()), self._pending.get(name)
            state: State = "running" if restart is None else "starting" if restart.due is None else "waiting"
            states.append(ProcessState(name, state, pid, record.restarts, record.last_end, record.last_end_at))
        self._changed(states)


def _too_often(end: End, count: int, policy: RestartPolicy) -> str:
    times = "once" if count == 1 else f"{count} times"
    return f"{end.sentence}\n{end.command.name} ended {times} within {_window(policy)} and is not started again."


def _window(policy: RestartPolicy) -> str:
    return f"{policy.window_s / 60:g} minutes" if policy.window_s >= 120 else f"{policy.window_s:g} s"


def write_states(path: Path, states: list[ProcessState]) -> None:
    """Write the states as JSON, so that a reader sees the old file or the new one."""
    partial = path.with_suffix(".half")
    partial.write_text(json.dumps([asdict(state) for state in states], indent=1))
    partial.replace(path)


def read_states(path: Path) -> list[ProcessState]:
    """The states that were written last; none where no stack runs or the file cannot be read."""
    try:
        return [ProcessState(**state) for state in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError):
        return []
