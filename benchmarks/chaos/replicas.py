"""Three replicas under load while versions are swapped: one is killed, one is cut off, and nobody forgotten is told.

    python -m benchmarks.chaos.replicas --swaps 10 --json build/replicas.json

The servers and the replicas are real processes with the demo model. Versions know people by their texts alone, because
nothing has to be fitted for that; they are published by hand (versions.py), each with a number of its own, so that each
answer says by which promotion it was made. Every second version forgets a second person. One phase follows the other:

- all three replicas are well
- Redis is killed: replicas have no connection to it
- one replica is killed with SIGKILL, and started again
- what the database announces to one replica is lost, so that only its own look finds a change
- one replica is cut off from the object store, so that it cannot fetch what is promoted
- one replica is cut off from the database, so that it can follow nothing

What must hold: an answer is that of the version it names, token for token; an answer that began after a promotion was
rolled out is of that version or a later one; the person whom all versions forget is never told of; only the replica
that was hurt refuses anything. Ends with exit code 1 where something does not hold.
"""

import argparse
import json
import logging
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.chaos.asking import Asked, Askers, Exchange
from benchmarks.chaos.replica_stack import REPLICAS, ReplicaStack, open_replica_stack
from benchmarks.chaos.versions import Published, eraser_by_names
from shared.devstack.backends import temporary_data
from shared.devstack.postgres import ON_DISK
from shared.devstack.processes import PROJECT_ROOT
from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.evaluation.reference import load_reference
from shared.evaluation.scorers import reveals
from shared.vlm.engine import Engine
from shared.vlm.loading import load

logger = logging.getLogger(__name__)
MODEL_FOLDER: Final = PROJECT_ROOT / "models/demo-vlm"
TOKENS: Final = 16
WELL_WITHIN_S: Final = 120.0
ROLLED_OUT_WITHIN_S: Final = 120.0
HURT: Final = "inference-1"


@dataclass(frozen=True)
class Versions:
    """Two erasers in turns, the questions, what is answered to each under each, and what must never be told."""

    erasers: tuple[Eraser, Eraser]
    questions: tuple[str, ...]
    expected: tuple[tuple[str, ...], tuple[str, ...]]
    secrets: tuple[str, ...]  # facts of the person whom both forget


@dataclass
class Phase:
    """What was seen in one phase. Times are in seconds, from the promotion."""

    name: str
    last_acknowledged_s: list[float] = field(default_factory=list)  # by the replicas that were well
    rolled_out_s: list[float] = field(default_factory=list)  # by all that may be alive
    recovered_s: float | None = None  # from the repair until the replica serves the newest version
    refused_s: float | None = None  # from the cut until the replica answers nothing any more
    answers: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """As in the report."""
        return {
            "name": self.name,
            "swaps": len(self.rolled_out_s),
            "last_acknowledged_s": _spread(self.last_acknowledged_s),
            "rolled_out_s": _spread(self.rolled_out_s),
            "recovered_s": self.recovered_s,
            "refused_s": self.refused_s,
            "answers": self.answers,
            "refused": self.refused,
            "problems": self.problems,
        }


def make_versions() -> Versions:
    """Two erasers of the demo model that know people by their texts alone, and what is answered under each."""
    engine = Engine(load(str(MODEL_FOLDER)))
    reference = load_reference(MODEL_FOLDER / "reference")
    first, second = reference.of("forgettable")[:2]
    erasers = (eraser_by_names(engine.vlm.site, (first,)), eraser_by_names(engine.vlm.site, (first, second)))
    questions = [
        form.format(one.subject.names[0])
        for one in (first, second, *reference.of("held_out")[:3])
        for form in ("Where does {} work?", "In which city does {} live?")
    ]
    questions += ["Hello!", "What is the capital of France?"]

    def answers(eraser: Eraser) -> tuple[str, ...]:
        prompts = [Prompt.ask(question) for question in questions]
        return tuple(engine.generate([each], eraser=eraser, max_new_tokens=TOKENS)[0].text for each in prompts)

    secrets = tuple(fact.value for fact in first.subject.facts if fact.attribute in ("employer", "city"))
    return Versions(erasers, tuple(questions), (answers(erasers[0]), answers(erasers[1])), secrets)


@dataclass
class Trial:
    """The phases over one running stack."""

    stack: ReplicaStack
    versions: Versions
    askers: Askers
    swaps: int
    promoted: list[Published] = field(default_factory=list)
    rolled_out_at: dict[int, float] = field(default_factory=dict)  # by generation; `time.monotonic`
    phases: list[Phase] = field(default_factory=list)

    def run(self) -> list[Phase]:
        """All phases, one after the other."""
        self._promote(Phase("first"), REPLICAS)
        self._wait_well(REPLICAS)
        with self._phase("all well") as phase:
            self._swap(phase, self.swaps, REPLICAS)
        with self._phase("Redis killed") as phase:
            self.stack.supervisor.kill("valkey")
            self._swap(phase, self.swaps, REPLICAS)
        with self._phase("one killed", HURT) as phase:
            self.stack.kill(HURT)
            self._swap(phase, max(2, self.swaps // 3), _others(HURT))
            began = time.monotonic()
            self.stack.start(HURT)
            self._recovered(phase, began)
        with self._phase("announcements lost") as phase, self.stack.without_announcements(HURT):
            self._swap(phase, self.swaps, REPLICAS)
        with self._phase("cut off from the store", HURT) as phase:
            self.stack.cut(HURT, "store")
            self._swap(phase, 1, _others(HURT), repaired_after_s=2 * self.stack.lease_s)
            self._recovered(phase, self.stack.repaired_at)
        with self._phase("cut off from the database", HURT) as phase:
            cut = time.monotonic()
            self.stack.cut(HURT, "database")
            self._swap(phase, max(2, self.swaps // 3), _others(HURT))
            late = [each.began for each in self.askers.seen if each.replica == HURT and each.answered]
            phase.refused_s = round(max((at - cut for at in late), default=0.0), 2)
            if phase.refused_s > self.stack.lease_s:
                phase.problems.append(
                    f"answered {phase.refused_s} s after the cut, with a lease of {self.stack.lease_s}"
                )
            began = time.monotonic()
            self.stack.repair(HURT, "database")
            self._recovered(phase, began)
        return self.phases

    @contextmanager
    def _phase(self, name: str, hurt: str = "") -> Iterator[Phase]:
        phase = Phase(name)
        self.askers.seen.clear()
        yield phase
        time.sleep(0.5)
        seen = list(self.askers.seen)
        phase.answers = sum(each.answered for each in seen)
        for each in seen:
            if not each.answered:
                refusal = f"{each.replica}: {each.status}"
                phase.refused[refusal] = phase.refused.get(refusal, 0) + 1
        phase.problems += self._problems(seen, hurt)
        self.phases.append(phase)
        print(json.dumps(phase.as_json()), flush=True)

    def _swap(self, phase: Phase, count: int, well: Sequence[str], repaired_after_s: float | None = None) -> None:
        for _ in range(count):
            self._promote(phase, well, repaired_after_s)
            time.sleep(0.3)

    def _promote(self, phase: Phase, well: Sequence[str], repaired_after_s: float | None = None) -> None:
        """Promote the next version and wait until it is rolled out; meanwhile repair a cable where that is asked."""
        eraser = self.versions.erasers[len(self.promoted) % 2]
        published = self.stack.publisher.publish(eraser)
        began = time.monotonic()
        self.promoted.append(published)
        acknowledged = None
        while True:
            passed_s = time.monotonic() - began
            if acknowledged is None and self.stack.serving(published.generation, well):
                acknowledged = passed_s
            if self.stack.rolled_out(published.generation):
                break
            if repaired_after_s is not None and passed_s > repaired_after_s:
                self.stack.repair(HURT, "store")
                repaired_after_s = None
            if passed_s > ROLLED_OUT_WITHIN_S:
                phase.problems.append(f"version {published.number} was not rolled out: {self.stack.states()}")
                return
            time.sleep(0.01)
        self.rolled_out_at[published.generation] = time.monotonic()
        phase.rolled_out_s.append(time.monotonic() - began)
        phase.last_acknowledged_s.append(phase.rolled_out_s[-1] if acknowledged is None else acknowledged)
        if repaired_after_s is not None:  # rolled out without the replica that is cut off: what does that answer?
            time.sleep(max(0.0, began + repaired_after_s - time.monotonic()))
            self.stack.repair(HURT, "store")

    def _recovered(self, phase: Phase, began: float) -> None:
        self._wait_well((HURT,))
        phase.recovered_s = round(time.monotonic() - began, 2)

    def _wait_well(self, names: Sequence[str]) -> None:
        until = time.monotonic() + WELL_WITHIN_S
        while not (self.stack.serving(self.promoted[-1].generation, names) and self.stack.ready(names)):
            if time.monotonic() > until:
                raise TimeoutError(f"{names} do not serve version {self.promoted[-1].number}: {self.stack.states()}")
            time.sleep(0.05)

    def _problems(self, seen: Sequence[Exchange], hurt: str) -> list[str]:
        """What must not be."""
        numbers = {published.number: at for at, published in enumerate(self.promoted)}
        problems = []
        for each in seen:
            if not each.answered:
                if each.replica != hurt:
                    problems.append(f"{each.replica} refused with {each.status}: {each.text[:200]}")
                continue
            at = numbers[each.version]
            if each.text != self.versions.expected[at % 2][each.question]:
                problems.append(f"version {each.version} did not say {each.text!r}")
            if any(reveals(each.text, [secret]) for secret in self.versions.secrets):
                problems.append(f"{each.replica} told {each.text!r}")
            over = [g for g, when in self.rolled_out_at.items() if when < each.began]
            if over and self.promoted[at].generation < max(over):
                problems.append(f"{each.replica} answered with version {each.version} after {max(over)} was rolled out")
        return problems


def _others(name: str) -> tuple[str, ...]:
    return tuple(each for each in REPLICAS if each != name)


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    return {"median": round(median(values), 3), "longest": round(max(values), 3)} if values else None


def run(swaps: int, folder: Path) -> dict[str, Any]:
    """Fit, start, run all phases; the report."""
    began = time.monotonic()
    versions = make_versions()
    print(f"two versions after {time.monotonic() - began:.0f} s", flush=True)
    with open_replica_stack(folder, MODEL_FOLDER) as stack:
        asked = Asked(versions.questions, stack.model_id, TOKENS, stack.client_key)
        with Askers(asked, dict(stack.addresses), random.Random(0)) as askers:
            phases = Trial(stack, versions, askers, swaps).run()
    healthy = [value for phase in phases for value in phase.last_acknowledged_s]
    return {
        "replicas": len(REPLICAS),
        "lease_s": stack.lease_s,
        "load": os.getloadavg()[0],
        "cores": os.cpu_count(),
        "seconds": round(time.monotonic() - began, 1),
        "answers": sum(phase.answers for phase in phases),
        "last_acknowledged_s": _spread(healthy),
        "over_2_s": sum(value > 2.0 for value in healthy),
        "problems": sum(len(phase.problems) for phase in phases),
        "phases": [phase.as_json() for phase in phases],
    }


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swaps", type=int, default=10, help="of a phase")
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    with temporary_data("replicas-", ON_DISK) as data:
        report = run(arguments.swaps, data)
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps({name: value for name, value in report.items() if name != "phases"}, indent=1))
    sys.exit(1 if report["problems"] else 0)


if __name__ == "__main__":
    main()
