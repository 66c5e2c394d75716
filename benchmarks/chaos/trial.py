"""One trial on a running stack: officers work, a process is killed or frozen at a named step, the stack recovers.

A trial withdraws the ticket of the trial before, files a new one and has it approved, urgently or for the night.
At its end no work may be left over, no invariant may be violated (`invariants.py`), and the log must verify from its
first leaf.
"""

import signal
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.chaos.invariants import Invariants
from benchmarks.chaos.officer import Officers, OfficersThread
from benchmarks.chaos.plan import Trial
from benchmarks.chaos.stack import ChaosStack
from services.cli.commands.log import fetch
from services.cli.commands.verify import verify_folder
from shared.errors import LacunaError
from shared.evaluation.people import Person
from shared.transparency.checkpoints import read_keys

GROUND: Final[dict[str, Any]] = {"ground": "consent_withdrawn"}
REJECTION: Final = {"code": "no_match", "note": "No such person is known to us."}
REACH_S: Final = 180.0  # time limits are generous: a slow machine is not a broken stack
REST_S: Final = 240.0
ZOMBIE_S: Final = 3.0  # for whatever a thawed worker still tries
REJECTED_PEOPLE: Final = 5  # the last people of the list: their tickets are always rejected
STATISTICS: Final = "statistics/"


@dataclass
class Result:
    """What came of a trial; `outcome` is `ok`, `broken` or `not reached`."""

    trial: Trial
    outcome: str = "ok"
    recovery_s: float = 0.0  # from the fault until no work was left
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    resent: int = 0

    def as_json(self) -> dict[str, Any]:
        """The result as it stands in build/chaos.json."""
        return asdict(self) | {"trial": asdict(self.trial) | {"step": self.trial.step.name, "name": self.trial.name()}}


@dataclass
class Harness:
    """A stack, its officers and invariants, and the states that all tickets so far are expected to reach."""

    stack: ChaosStack
    officers: Officers
    invariants: Invariants
    people: tuple[Person, ...]
    expected_states: dict[str, str] = field(default_factory=dict)
    tickets_by_source: dict[str, str] = field(default_factory=dict)
    covered_ticket: str | None = None  # the only ticket in force
    last_person: int = -1
    _verified_checkpoints: list[str] = field(default_factory=list)

    def settle(self, within_s: float) -> list[str]:
        """Wait until no work is left, for `within_s` at most; returns the work that is left then."""
        until = time.monotonic() + within_s
        while (left := self.invariants.unfinished(self.expected_states)) and time.monotonic() < until:
            time.sleep(0.1)
        return left

    def warm_up(self) -> list[str]:
        """Wait for version 0, complete a first ticket without any fault, and return what is wrong."""
        while self.invariants.scalar("SELECT count(*) FROM desired_state") == 0:
            time.sleep(0.2)
        self._file_and_approve("chaos-first", 0, urgent=True)
        return self.settle(120.0) + self.invariants.violations(self.tickets_by_source)

    def run(self, trial: Trial) -> Result:
        """Carry out a trial; errors become problems of the result."""
        result, began, resent = Result(trial), time.monotonic(), self.officers.resent
        try:
            self._run(trial, result)
        except (LacunaError, TimeoutError, RuntimeError) as exc:
            result.problems.append(f"{type(exc).__name__}: {exc}")
        finally:
            self.stack.disarm()
        result.seconds, result.resent = round(time.monotonic() - began, 2), self.officers.resent - resent
        if result.problems and result.outcome == "ok":
            result.outcome = "broken"
        return result

    def _run(self, trial: Trial, result: Result) -> None:
        if trial.step.act == "fresh":
            self._delete_statistics()
        thread = OfficersThread(lambda: self._work(trial))
        thread.start()
        if not self.stack.reached(trial.step.name, REACH_S):
            result.outcome = "not reached"
            result.problems.append(f"no process came to {trial.step.name}")
            thread.finish()
            result.problems += self.settle(REST_S)
            return
        hurt_at = time.monotonic()
        if trial.kind == "freeze":
            self._freeze(trial.victims[0], thread)
        else:
            self.stack.kill(trial.victims)
            self.stack.disarm()
            time.sleep(trial.down_s)
            self.stack.restart(trial.victims)
        thread.finish()
        result.problems += [f"not finished: {item}" for item in self.settle(REST_S)]
        result.recovery_s = round(time.monotonic() - hurt_at, 2)
        result.problems += self.invariants.violations(self.tickets_by_source) + self._verify_log()

    def _delete_statistics(self) -> None:
        """Make the refit worker compute its statistics anew."""
        store = self.invariants.store
        for key in store.list(STATISTICS):
            store.delete(key)
        self.stack.kill(["refit"])
        self.stack.restart(["refit"])

    def _freeze(self, name: str, thread: OfficersThread) -> None:
        """Freeze a worker past its lease while a second one takes over, then thaw it: its writes must be refused."""
        supervisor = self.stack.running.supervisor
        self.stack.signal(name, signal.SIGSTOP)
        self.stack.disarm()
        supervisor.start(replace(supervisor.command(name), name=f"{name}-2"), wait=False)
        try:
            thread.finish()
            left = self.settle(REST_S)
        finally:
            self.stack.signal(name, signal.SIGCONT)
        if left:
            raise TimeoutError(f"no worker took over from the frozen {name}: {'; '.join(left)}")
        time.sleep(ZOMBIE_S)
        supervisor.kill(f"{name}-2")

    def _work(self, trial: Trial) -> None:
        """What the officers do in a trial; arms the step at the moment from which a process may arrive there."""
        source = f"chaos-{trial.number}"
        if trial.step.act == "withdraw":
            self.stack.arm(trial.step.name)
        if self.covered_ticket is not None:
            self.officers.decide(self.covered_ticket, "withdraw", {"note": "taken back"}, "adam")
            self.expected_states[self.covered_ticket] = "withdrawn"
            self.covered_ticket = None
        if trial.rejects:
            person = self.people[-1 - trial.pick % REJECTED_PEOPLE]
            ticket = self.officers.file(person, f"{source}-no", urgent=False)
            self.tickets_by_source[f"{source}-no"] = ticket
            self.officers.decide(ticket, "reject", REJECTION, "olivia")
            self.expected_states[ticket] = "rejected"
        self._file_and_approve(source, trial.pick, urgent=not trial.nightly, trial=trial)
        if trial.nightly:
            self.stack.advance_night()

    def _file_and_approve(self, source: str, pick: int, *, urgent: bool, trial: Trial | None = None) -> None:
        count = len(self.people) - REJECTED_PEOPLE
        pick %= count
        pick += pick == self.last_person  # not the same person twice in a row
        if trial is not None and trial.step.act == "file":
            self.stack.arm(trial.step.name)
        ticket = self.officers.file(self.people[pick % count], source, urgent=urgent)
        self.tickets_by_source[source] = ticket
        if trial is not None and trial.step.act in ("approve", "any", "fresh"):
            self.stack.arm(trial.step.name)
        self.officers.decide(ticket, "approve", GROUND | {"names": list(self.people[pick % count].subject.names)})
        self.expected_states[ticket], self.covered_ticket, self.last_person = "completed", ticket, pick

    def _verify_log(self) -> list[str]:
        """Verify the exported log, which must also be consistent with the checkpoint kept from the trial before."""
        data = self.stack.running.data
        keys = read_keys((data / "log-keys.txt").read_text().replace("\n", ","))
        try:
            with tempfile.TemporaryDirectory(prefix="chaos-log-") as folder:
                fetch(Path(folder), data, "ada")
                verify_folder(Path(folder), self._verified_checkpoints, keys)
                newest = sorted((Path(folder) / "checkpoints").glob("[0-9]*"))[-1]
                self._verified_checkpoints = [newest.read_text()]
        except LacunaError as exc:
            return [f"the log does not verify: {exc.detail}"]
        return []
