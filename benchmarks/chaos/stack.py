"""A running stack that can be hurt: arm a step, kill a process with SIGKILL, freeze it, start it again.

Knows processes and files; nothing of tickets.
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
from benchmarks.chaos.stubs import NIGHTS
from shared.devstack.processes import PROJECT_ROOT
from shared.devstack.stack import Running, running_stack
from shared.errors import Unavailable

PARTS: Final = ("postgres", "valkey", "s3")
PROCESSES: Final = ("request", "control-loop", "refit", "audit", "beat", "inference")
VICTIMS: Final = (*PROCESSES, *PARTS)
# What a real house waits 15 to 30 seconds for, and here not: see shared/core/config.py for the values of real life.
SHORT: Final = {
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
    **{f"LACUNA_AUDIT_IDENTICAL_{name}": "0" for name in ("RETAIN", "HELD_OUT", "CELEBRITY", "STRANGER", "VISIBLE")},
}


class House:
    """One stack with its folder of armed steps."""

    def __init__(self, running: Running, folder: Path) -> None:
        self.running, self.folder = running, folder
        for name in (ARMED, REACHED):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def arm(self, step: str) -> None:
        """The next process that gets to `step` stands still there."""
        (self.folder / ARMED / step).touch()

    def disarm(self) -> None:
        """Nobody stands still any more, and whoever does goes on."""
        for name in (ARMED, REACHED):
            for path in (self.folder / name).iterdir():
                path.unlink(missing_ok=True)

    def reached(self, step: str, within_s: float) -> bool:
        """Wait until somebody stands still at `step`."""
        until = time.monotonic() + within_s
        while not (self.folder / REACHED / step).exists():
            if time.monotonic() > until:
                return False
            time.sleep(0.005)
        return True

    def night(self) -> None:
        """A night comes."""
        path = self.folder / NIGHTS
        half = path.with_suffix(".half")
        half.write_text(str(int(path.read_text()) + 1 if path.is_file() else 1))
        half.replace(path)

    def kill(self, names: Sequence[str]) -> None:
        """SIGKILL each of `names` with all that it started; all are dead when this returns."""
        threads = [one for one in threading.enumerate() if one.name in names]
        groups = [group for name in names for group in _tree(self.running.supervisor.pid(name))]
        for group in groups:
            with contextlib.suppress(ProcessLookupError):
                os.kill(group, signal.SIGKILL)
        for thread in threads:
            thread.join(timeout=10)

    def restart(self, names: Sequence[str]) -> None:
        """Start what was killed, and wait until it answers; raises Unavailable."""
        for name in names:
            for _ in range(3):  # a second death may be told while the first is mended
                with contextlib.suppress(Unavailable):
                    self.running.supervisor.restart(name)
                    break
            else:
                raise Unavailable(f"{name} does not come back: {self.running.supervisor.why}")

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and all that it started."""
        for one in _tree(self.running.supervisor.pid(name)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, number)


def _tree(root: int) -> list[int]:
    """`root` and its descendants, parents first: PostgreSQL's are in sessions of their own."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found = [root]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


@contextmanager
def open_house(data: Path) -> Iterator[House]:
    """A stack over `data` with short leases and woven processes; its log is `data`/stack.log."""
    folder = data / "chaos"
    path = os.pathsep.join(
        filter(
            None, (str(PROJECT_ROOT), str(PROJECT_ROOT / "benchmarks/chaos/inject"), os.environ.get("PYTHONPATH", ""))
        )
    )
    env = SHORT | {"CHAOS_FOLDER": str(folder), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    with running_stack(data, env=env) as running:
        house = House(replace(running), folder)
        try:
            yield house
        finally:
            house.disarm()
