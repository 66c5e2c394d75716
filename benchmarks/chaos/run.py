"""`make chaos`: hurt every process and backend at every named step; nothing may be lost, and nothing done twice.

One stack lives through all trials. Prints each trial and a table; ends with exit code 1 if an invariant was violated.
Repeat one trial with `--seed S --trials N --trial K`. Damage stays in the database, so the run stops at the first trial
that does damage, unless `--go-on` is given.
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

from benchmarks.chaos.invariants import Invariants
from benchmarks.chaos.officer import Officers
from benchmarks.chaos.plan import Trial, plan, short_plan
from benchmarks.chaos.stack import open_stack
from benchmarks.chaos.trial import Harness, Result
from shared.devstack.processes import PROJECT_ROOT
from shared.evaluation.reference import load_reference
from shared.storage.s3 import S3Store


@contextmanager
def open_harness(data: Path) -> Iterator[Harness]:
    """Run a stack over `data` that has completed a first ticket; raises RuntimeError if even that violates anything."""
    with open_stack(data) as stack:
        running = stack.running
        backends = running.backends
        store = S3Store(backends.s3_endpoint, backends.s3_access_key, backends.s3_secret_key, "lacuna")
        harness = Harness(
            stack,
            Officers(running.request_url, running.keys),
            Invariants(backends.database_url, store),
            load_reference(PROJECT_ROOT / "models/demo-vlm/reference").of("forgettable"),
        )
        try:
            if problems := harness.warm_up():
                raise RuntimeError(f"before anything was killed: {'; '.join(problems)}")
            yield harness
        finally:
            store.close()


def run_trials(harness: Harness, trials: Sequence[Trial], *, go_on: bool = False) -> list[Result]:
    """Run all trials, one after the other, and print each."""
    results = []
    for trial in trials:
        result = harness.run(trial)
        results.append(result)
        summary = f"{result.outcome}, recovered after {result.recovery_s:.1f} s, requests resent {result.resent}"
        print(f"{trial.number:>4}  {trial.name()}: {summary}", flush=True)
        for problem in result.problems:
            print(f"        {problem}", flush=True)
        if result.problems and not go_on:
            break
    return results


def table(results: Sequence[Result]) -> str:
    """A line for each step and victim: trials, trials that held, longest recovery."""
    groups = defaultdict[tuple[str, str], list[Result]](list)
    for result in results:
        verb = "freeze " if result.trial.kind == "freeze" else ""
        groups[result.trial.step.name, verb + "+".join(result.trial.victims)].append(result)
    lines = [f"{'step':<24} {'victim':<20} {'trials':>6} {'held':>5} {'recovery s':>11}"]
    for (step, victim), group in sorted(groups.items()):
        held = sum(result.outcome == "ok" for result in group)
        slowest = max(result.recovery_s for result in group)
        lines.append(f"{step:<24} {victim:<20} {len(group):>6} {held:>5} {slowest:>11.1f}")
    return "\n".join(lines)


def main() -> None:
    """Read the command line, run the trials, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument("--trial", type=int, default=None, help="run only the trial of this number")
    parser.add_argument("--short", action="store_true", help="run the four trials of the slow tests")
    parser.add_argument("--go-on", action="store_true", help="do not stop at a trial that does damage")
    parser.add_argument("--data", type=Path, default=None, help="the stack's folder; default: a temporary one")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    trials = short_plan(args.seed) if args.short else plan(args.seed, args.trials)
    if args.trial is not None:
        trials = [trials[args.trial]]
    began = time.monotonic()
    print(f"{len(trials)} trials; repeat one with --seed {args.seed} --trials {args.trials} --trial K")
    with tempfile.TemporaryDirectory(prefix="chaos-", dir="/var/tmp") as name:
        folder = args.data or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        if args.data is None:
            folder.chmod(0o711)  # PostgreSQL may run as another user
        with open_harness(folder) as harness:
            print(f"version 0 and a first ticket after {time.monotonic() - began:.0f} s", flush=True)
            results = run_trials(harness, trials, go_on=args.go_on)
    held = sum(result.outcome == "ok" for result in results)
    recovery = sorted(result.recovery_s for result in results)
    print(table(results))
    print(f"{held} of {len(results)} trials held; recovery median {recovery[len(recovery) // 2]:.1f} s, "
          f"longest {recovery[-1]:.1f} s; {time.monotonic() - began:.0f} s in all; seed {args.seed}")  # fmt: skip
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        body = {"seed": args.seed, "planned": len(trials), "cores": os.cpu_count(), "held": held}
        body |= {"seconds": round(time.monotonic() - began, 1), "trials": [result.as_json() for result in results]}
        args.json.write_text(json.dumps(body, indent=1))
    sys.exit(0 if held == len(trials) else 1)


if __name__ == "__main__":
    main()
