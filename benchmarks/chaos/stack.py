"""A running stack with faults: arm a step, kill a process with SIGKILL, freeze it, start it again.

This module knows processes and files, and nothing of tickets.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.chaos.fault_injection import ARMED, REACHED
from benchmarks.chaos.stubs import EXTRA_NIGHTS
from shared.devstack.processes import PROJECT_ROOT
from shared.devstack.stack import Running, running_stack
from shared.errors import Unavailable

BACKENDS: Final = ("postgres", "valkey", "s3")
PROCESSES: Final = ("request", "control-loop", "refit", "audit", "beat", "inference")
VICTIMS: Final = (*PROCESSES, *BACKENDS)
# Leases and periods of a few seconds, where a real installation waits 15 to 30: shared/core/config.py has the defaults.
SHORT_PERIODS: Final = {
    "LACUNA_REFIT_LEASE_S": "3",
    "LACUNA_AUDIT_LEASE_S": "3",
    "LACUNA_REPLICA_LEASE_S": "4",
    "LACUNA_LOST_AFTER_S": "3",
    "LACUNA_DATABASE_IDLE_S": "5",
    "LACUNA_NIGHTLY_CATCH_UP_S": "6",
    "LACUNA_POLL_S": "0.2",
    "LACUNA_SHRED_AFTER_DAYS": "0",
    "LACUNA_RATE_LIMIT": "100000/minute",
    "LACUNA_AUDIT_TOLD_TRAINED": "1",
    "LACUNA_AUDIT_TOLD_TEST": "1",
    "LACUNA_AUDIT_TOLD_ATTACKS": "1",
    **{f"LACUNA_AUDIT_IDENTICAL_{name}": "0" for name in ("RETAIN", "HELD_OUT", "CELEBRITY", "STRANGER", "VISIBLE")},
}


class ChaosStack:
    """One stack with the folder of its armed steps."""

    def __init__(self, running: Running, folder: Path) -> None:
        self.running, self.folder = running, folder
        for name in (ARMED, REACHED):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def arm(self, step: str) -> None:
        """Make the next process that arrives at `step` wait there."""
        (self.folder / ARMED / step).touch()

    def disarm(self) -> None:
        """Disarm every step, and let processes that wait at one go on."""
        for name in (ARMED, REACHED):
            for path in (self.folder / name).iterdir():
                path.unlink(missing_ok=True)

    def reached(self, step: str, within_s: float) -> bool:
        """Wait until a process stands at `step`; False if none arrived within `within_s`."""
        until = time.monotonic() + within_s
        while not (self.folder / REACHED / step).exists():
            if time.monotonic() > until:
                return False
            time.sleep(0.005)
        return True

    def advance_night(self) -> None:
        """Make the processes believe that another night has come."""
        path = self.folder / EXTRA_NIGHTS
        half = path.with_suffix(".half")
        half.write_text(str(int(path.read_text()) + 1 if path.is_file() else 1))
        half.replace(path)

    def kill(self, names: Sequence[str]) -> None:
        """Send SIGKILL to each of `names` and its descendants; all have ended when this returns."""
        threads = [thread for thread in threading.enumerate() if thread.name in names]
        pids = [pid for name in names for pid in _process_tree(self.running.supervisor.pid(name))]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for thread in threads:
            thread.join(timeout=10)

    def restart(self, names: Sequence[str]) -> None:
        """Start killed processes again, and wait until they answer; raises Unavailable."""
        for name in names:
            for _ in range(3):  # another child's end may be reported while this one starts
                with contextlib.suppress(Unavailable):
                    self.running.supervisor.restart(name)
                    break
            else:
                raise Unavailable(f"{name} does not come back: {self.running.supervisor.reason}")

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and its descendants."""
        for pid in _process_tree(self.running.supervisor.pid(name)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _process_tree(root: int) -> list[int]:
    """Ids of `root` and its descendants, parents first. Process groups would not do: PostgreSQL's children leave it."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    tree = [root]
    for pid in tree:  # grows while it is read
        tree += [child for child, parent in parents.items() if parent == pid]
    return tree


@contextmanager
def open_stack(data: Path) -> Iterator[ChaosStack]:
    """Run a stack over `data` with short leases and injected steps; its log is `data`/stack.log."""
    folder = data / "chaos"
    inject = PROJECT_ROOT / "benchmarks/chaos/inject"
    path = os.pathsep.join(filter(None, (str(PROJECT_ROOT), str(inject), os.environ.get("PYTHONPATH", ""))))
    env = SHORT_PERIODS | {"CHAOS_FOLDER": str(folder), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    with running_stack(data, env=env) as running:
        stack = ChaosStack(replace(running), folder)
        try:
            yield stack
        finally:
            stack.disarm()
