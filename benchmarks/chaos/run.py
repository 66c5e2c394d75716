"""`make chaos`: kill every process and part at every named step; nothing may be lost, and nothing done twice.

One stack lives through all trials. Prints what happens and a table; ends with 1 where an invariant broke.
One trial again: `--seed S --trials N --trial K`. What is broken stays broken, so the run stops at the first such trial
unless told to go on.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.chaos.invariants import Truth
from benchmarks.chaos.officer import Desk
from benchmarks.chaos.plan import Trial, plan, short_plan
from benchmarks.chaos.stack import open_house
from benchmarks.chaos.trial import Result, World
from shared.devstack.processes import PROJECT_ROOT
from shared.evaluation.reference import load_reference
from shared.storage.s3 import S3Store


@contextmanager
def open_world(data: Path) -> Iterator[World]:
    """A stack over `data` that has served its first ticket; raises RuntimeError where even that does not hold."""
    with open_house(data) as house:
        running = house.running
        parts = running.parts
        store = S3Store(parts.s3_endpoint, parts.s3_access_key, parts.s3_secret_key, "lacuna")
        world = World(
            house,
            Desk(running.request_url, running.keys),
            Truth(parts.database_url, store),
            load_reference(PROJECT_ROOT / "models/demo-vlm/reference").of("forgettable"),
        )
        try:
            if wrong := world.warm_up():
                raise RuntimeError(f"before anything was killed: {'; '.join(wrong)}")
            yield world
        finally:
            store.close()


def carry_out(world: World, trials: Sequence[Trial], *, go_on: bool = False) -> list[Result]:
    """All trials, one after the other; says each."""
    results = []
    for trial in trials:
        result = world.run(trial)
        results.append(result)
        how = f"{result.outcome}, at rest after {result.recovery_s:.1f} s, sent again {result.resent}"
        print(f"{trial.number:>4}  {trial.name()}: {how}", flush=True)
        for problem in result.problems:
            print(f"        {problem}", flush=True)
        if result.problems and not go_on:
            break
    return results


def table(results: Sequence[Result]) -> str:
    """Step by victim: trials, those that held, longest recovery."""
    seen = defaultdict[tuple[str, str], list[Result]](list)
    for one in results:
        verb = "freeze " if one.trial.kind == "freeze" else ""
        seen[one.trial.step.name, verb + "+".join(one.trial.victims)].append(one)
    lines = [f"{'step':<24} {'victim':<20} {'trials':>6} {'held':>5} {'recovery s':>11}"]
    for (step, victim), group in sorted(seen.items()):
        held = sum(one.outcome == "ok" for one in group)
        slowest = max(one.recovery_s for one in group)
        lines.append(f"{step:<24} {victim:<20} {len(group):>6} {held:>5} {slowest:>11.1f}")
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument("--trial", type=int, default=None, help="only this one of them")
    parser.add_argument("--short", action="store_true", help="the few of `make test`")
    parser.add_argument("--go-on", action="store_true", help="also after a trial that broke something")
    parser.add_argument("--data", type=Path, default=None, help="the stack's folder; a new one is thrown away")
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args()
    trials = short_plan(given.seed) if given.short else plan(given.seed, given.trials)
    if given.trial is not None:
        trials = [trials[given.trial]]
    began = time.monotonic()
    print(f"{len(trials)} trials, seed {given.seed}; one again: --seed {given.seed} --trials {given.trials} --trial K")
    with tempfile.TemporaryDirectory(prefix="chaos-", dir="/var/tmp") as name:
        folder = given.data or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        if given.data is None:
            folder.chmod(0o711)
        with open_world(folder) as world:
            print(f"version 0 and a first ticket after {time.monotonic() - began:.0f} s", flush=True)
            results = carry_out(world, trials, go_on=given.go_on)
    held = sum(one.outcome == "ok" for one in results)
    recovery = sorted(one.recovery_s for one in results)
    print(table(results))
    print(f"{held} of {len(results)} trials held; recovery median {recovery[len(recovery) // 2]:.1f} s, "
          f"longest {recovery[-1]:.1f} s; {time.monotonic() - began:.0f} s in all; seed {given.seed}")  # fmt: skip
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        body = {"seed": given.seed, "planned": len(trials), "cores": os.cpu_count(), "held": held}
        body |= {"seconds": round(time.monotonic() - began, 1), "trials": [one.as_json() for one in results]}
        given.json.write_text(json.dumps(body, indent=1))
    sys.exit(0 if held == len(trials) else 1)


if __name__ == "__main__":
    main()
