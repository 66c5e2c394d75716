"""One trial on a running stack: officers at work, a death at a named step, everything comes to its end.

A trial withdraws the ticket of the trial before, files a new one and has it approved, urgent or for the night. At its
end nothing may be under way and nothing may be broken (`truth.py`), and the log must verify from its first leaf.
"""

import signal
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.chaos.invariants import Truth
from benchmarks.chaos.officer import Background, Desk
from benchmarks.chaos.plan import Trial
from benchmarks.chaos.stack import House
from services.cli.commands.log import fetch
from services.cli.commands.verify import verify_folder
from shared.errors import LacunaError
from shared.evaluation.synthetic_people import Person
from shared.transparency.checkpoints import read_keys

GROUND: Final = {"ground": "consent_withdrawn"}
REJECTION: Final = {"code": "no_match", "note": "No such person is known to us."}
REACH_S: Final = 180.0  # waits are long: a slow machine is no broken house
REST_S: Final = 240.0
STATISTICS: Final = "statistics/"


@dataclass
class Result:
    """`outcome` is `ok`, or what was wrong."""

    trial: Trial
    outcome: str = "ok"
    recovery_s: float = 0.0  # from the death until nothing was under way
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    resent: int = 0

    def as_json(self) -> dict[str, Any]:
        """For build/chaos.json."""
        return asdict(self) | {"trial": asdict(self.trial) | {"step": self.trial.step.name, "name": self.trial.name()}}


@dataclass
class World:
    """A stack, its officers, and what is expected of all tickets so far."""

    house: House
    desk: Desk
    truth: Truth
    people: tuple[Person, ...]
    expected: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    last: str | None = None  # the ticket in force
    last_person: int = -1
    _kept: list[str] = field(default_factory=list)

    def settle(self, within_s: float) -> list[str]:
        """Wait until nothing is under way; what still is, where that takes too long."""
        until = time.monotonic() + within_s
        while (left := self.truth.unrest(self.expected)) and time.monotonic() < until:
            time.sleep(0.1)
        return left

    def warm_up(self) -> list[str]:
        """Version 0 and a first ticket, with nobody dying."""
        while self.truth.one("SELECT count(*) FROM desired_state") == 0:
            time.sleep(0.2)
        self._file("chaos-first", 0, urgent=True)
        return self.settle(120.0) + self.truth.broken(self.sources)

    def run(self, trial: Trial) -> Result:
        """Carry it out; never raises for what a trial may bring to light."""
        result, began, resent = Result(trial), time.monotonic(), self.desk.resent
        try:
            self._run(trial, result)
        except (LacunaError, TimeoutError, RuntimeError) as exc:
            result.problems.append(f"{type(exc).__name__}: {exc}")
        finally:
            self.house.disarm()
        result.seconds, result.resent = round(time.monotonic() - began, 2), self.desk.resent - resent
        if result.problems and result.outcome == "ok":
            result.outcome = "broken"
        return result

    def _run(self, trial: Trial, result: Result) -> None:
        if trial.step.act == "fresh":
            for key in self.truth.store.list(STATISTICS):
                self.truth.store.delete(key)
            self.house.kill(["refit"])
            self.house.restart(["refit"])
        officers = Background(lambda: self._officers(trial))
        officers.start()
        if not self.house.reached(trial.step.name, REACH_S):
            result.outcome = "not reached"
            result.problems.append(f"nobody came to {trial.step.name}")
            officers.finish()
            result.problems += self.settle(REST_S)
            return
        died = time.monotonic()
        if trial.kind == "freeze":
            self._freeze(trial.victims[0], officers)
        else:
            self.house.kill(trial.victims)
            self.house.disarm()
            time.sleep(trial.down_s)
            self.house.restart(trial.victims)
        officers.finish()
        result.problems += [f"not at its end: {one}" for one in self.settle(REST_S)]
        result.recovery_s = round(time.monotonic() - died, 2)
        result.problems += self.truth.broken(self.sources) + self._evidence()

    def _freeze(self, name: str, officers: Background) -> None:
        """A worker that stands still past its lease, while another takes over; then it goes on, and is refused."""
        supervisor = self.house.running.supervisor
        self.house.signal(name, signal.SIGSTOP)
        self.house.disarm()
        supervisor.start(replace(supervisor.command(name), name=f"{name}-2"), wait=False)
        try:
            officers.finish()
            left = self.settle(REST_S)
        finally:
            self.house.signal(name, signal.SIGCONT)
        if left:
            raise TimeoutError(f"nobody took over from the frozen {name}: {'; '.join(left)}")
        time.sleep(3.0)  # for whatever the zombie still tries
        supervisor.forget(f"{name}-2")

    def _officers(self, trial: Trial) -> None:
        word, act = f"chaos-{trial.number}", trial.step.act
        if act == "withdraw":
            self.house.arm(trial.step.name)
        if self.last is not None:
            self.desk.decide(self.last, "withdraw", {"note": "taken back"}, "adam")
            self.expected[self.last] = "withdrawn"
            self.last = None
        if trial.rejects:
            ticket = self.desk.file(self.people[-1 - trial.pick % 5], f"{word}-no", urgent=False)
            self.sources[f"{word}-no"] = ticket
            self.desk.decide(ticket, "reject", REJECTION, "olivia")
            self.expected[ticket] = "rejected"
        self._file(word, trial.pick, urgent=not trial.nightly, trial=trial)
        if trial.nightly:
            self.house.night()

    def _file(self, word: str, pick: int, *, urgent: bool, trial: Trial | None = None) -> None:
        pick %= len(self.people) - 5
        pick += pick == self.last_person  # not the same person twice in a row
        if trial is not None and trial.step.act == "file":
            self.house.arm(trial.step.name)
        ticket = self.desk.file(self.people[pick % (len(self.people) - 5)], word, urgent=urgent)
        self.sources[word] = ticket
        if trial is not None and trial.step.act in ("approve", "any", "fresh"):
            self.house.arm(trial.step.name)
        self.desk.decide(ticket, "approve", GROUND)
        self.expected[ticket], self.last, self.last_person = "completed", ticket, pick

    def _evidence(self) -> list[str]:
        """The log verifies, with the checkpoint of the trial before among those that were kept; serving answers."""
        data = self.house.running.data
        keys = read_keys((data / "log-keys.txt").read_text().replace("\n", ","))
        try:
            with tempfile.TemporaryDirectory(prefix="chaos-log-") as folder:
                fetch(Path(folder), data, "ada")
                verify_folder(Path(folder), self._kept, keys)
                newest = sorted((Path(folder) / "checkpoints").glob("[0-9]*"))[-1]
                self._kept = [newest.read_text()]
        except LacunaError as exc:
            return [f"the log does not verify: {exc.detail}"]
        return []
