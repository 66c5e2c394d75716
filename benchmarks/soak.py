"""A replica under hostile and honest clients for a long time: `python -m benchmarks.soak --json build/soak.json`.

300 clients share 10,000 requests, each of which begins at its drawn moment of the given time. Half of them are honest:
chats, streams, pictures and completions. The others are what soak_clients.py lists: clients without a key, garbage,
damaged and enormous pictures, bodies that never end, clients that leave, that never read, that say nothing. The replica
is a process of its own with the demo model, over private servers.

What must hold: no honest request fails; the resident memory of the replica in the last fifth of the time is that of the
second fifth, within 5 %; afterwards no connection is left. Ends with exit code 1 where something does not hold.
"""

import argparse
import asyncio
import json
import logging
import os
import random
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.chaos.replica_stack import open_replica_stack
from benchmarks.chaos.versions import eraser_by_names
from benchmarks.soak_clients import HONEST, HOSTILE, Asking
from shared.devstack.backends import temporary_data
from shared.devstack.postgres import ON_DISK
from shared.devstack.processes import PROJECT_ROOT
from shared.evaluation.reference import load_reference
from shared.vlm.loading import load

logger = logging.getLogger(__name__)
MODEL_FOLDER: Final = PROJECT_ROOT / "models/demo-vlm"
SAMPLE_S: Final = 5.0
REST_S: Final = 45.0  # after the last request: clients that never read are cut off after 30 s
ESTABLISHED: Final = "01"  # in /proc/net/tcp
GROWS_AT_MOST: Final = 0.05
REPLICA: Final = "inference-0"


@dataclass(frozen=True)
class Plan:
    """How many requests are shared by how many clients, within how many seconds."""

    requests: int
    connections: int
    seconds: float
    seed: int = 0


@dataclass
class Seen:
    """What came of all requests."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)  # by kind
    failed: list[str] = field(default_factory=list)  # honest ones, in a sentence
    honest_s: list[float] = field(default_factory=list)
    retried: int = 0
    longest_late_s: float = 0.0  # a request that began later than drawn, because its client was busy


@dataclass
class Memory:
    """Resident memory, threads and connections of the replica, every SAMPLE_S."""

    pid: int
    port: int
    samples: list[tuple[float, float, int, int]] = field(default_factory=list)  # s, MB, threads, connections

    async def watch(self) -> None:
        """Sample until cancelled."""
        began = time.monotonic()
        while True:
            status = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
            mb, threads = int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"])
            self.samples.append((round(time.monotonic() - began, 1), round(mb, 1), threads, self._connections()))
            await asyncio.sleep(SAMPLE_S)

    def cpu_s(self) -> float:
        """CPU time of the replica so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _connections(self) -> int:
        """Established connections to the replica."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(row[1].endswith(f":{self.port:04X}") and row[3] == ESTABLISHED for row in rows)

    def fifth(self, number: int, until_s: float) -> float:
        """Median of the memory in a fifth of the time, counted from 0."""
        low, high = until_s * number / 5, until_s * (number + 1) / 5
        return statistics.median(mb for at, mb, _, _ in self.samples if low <= at <= high)


async def soak(asking: Asking, plan: Plan) -> Seen:
    """All requests, in turns among the clients."""
    draw, seen, began = random.Random(plan.seed), Seen(), time.monotonic()
    kinds = [draw.choice(list(HONEST if draw.random() < 0.5 else HOSTILE)) for _ in range(plan.requests)]
    moments = sorted(draw.uniform(0.0, plan.seconds) for _ in range(plan.requests))

    async def client(number: int) -> None:
        async with asking.connected() as http:
            for at in range(number, plan.requests, plan.connections):
                wait_s = began + moments[at] - time.monotonic()
                seen.longest_late_s = max(seen.longest_late_s, -wait_s)
                await asyncio.sleep(max(0.0, wait_s))
                await one(kinds[at], http, random.Random(plan.seed + at))

    async def one(kind: str, http: Any, own: random.Random) -> None:
        start = time.monotonic()
        try:
            if kind in HONEST:
                outcome, retries = await HONEST[kind](asking, http, own)
                seen.retried += retries
                seen.honest_s.append(time.monotonic() - start)
                if outcome != "answered":
                    seen.failed.append(f"{kind}: {outcome}"[:300])
                    outcome = "failed"
            else:
                outcome = await HOSTILE[kind](asking, http, own)
        except Exception as exc:  # noqa: BLE001 - it is counted
            outcome = type(exc).__name__
            if kind in HONEST:
                seen.failed.append(f"{kind}: {outcome} {exc}"[:300])
        seen.outcomes.setdefault(kind, Counter())[outcome] += 1

    await asyncio.gather(*(client(number) for number in range(plan.connections)))
    return seen


def run(folder: Path, plan: Plan) -> dict[str, Any]:
    """Start the replica over `folder` and soak it; the report."""
    vlm, reference = load(str(MODEL_FOLDER)), load_reference(MODEL_FOLDER / "reference")
    forgotten = reference.of("forgettable")[:1]
    others = reference.of("held_out")[:8]
    with open_replica_stack(folder, MODEL_FOLDER, (REPLICA,)) as stack:
        stack.publisher.publish(eraser_by_names(vlm.site, forgotten))
        while not stack.ready((REPLICA,)):
            time.sleep(0.2)
        names = [person.subject.names[0] for person in (*forgotten, *others)]
        asking = Asking(stack.addresses[REPLICA], stack.client_key, stack.model_id, names)
        return asyncio.run(measure(asking, stack.supervisor.pid(REPLICA), plan))


async def measure(asking: Asking, pid: int, plan: Plan) -> dict[str, Any]:
    """Warm up, soak, rest; the report."""
    await soak(asking, Plan(40, 8, 5.0, seed=10**6))
    memory = Memory(pid, urlsplit(asking.url).port or 0)
    watching = asyncio.create_task(memory.watch())
    load_before, cpu_s = os.getloadavg(), memory.cpu_s()
    began = time.monotonic()
    seen = await soak(asking, plan)
    took_s = time.monotonic() - began
    used_s = memory.cpu_s() - cpu_s
    await asyncio.sleep(REST_S)
    watching.cancel()
    early, late = memory.fifth(1, took_s), memory.fifth(4, took_s)
    left = memory.samples[-1][3]
    ordered = sorted(seen.honest_s)
    return {
        "requests": plan.requests,
        "connections": plan.connections,
        "minutes": round(took_s / 60, 1),
        "load": [load_before[0], os.getloadavg()[0]],
        "cores": os.cpu_count(),
        "cpu_s": round(used_s, 1),
        "honest": {
            "requests": len(seen.honest_s),
            "failed": len(seen.failed),
            "retried_after_503_or_429": seen.retried,
            "median_s": round(statistics.median(ordered), 3),
            "p99_s": round(ordered[int(0.99 * (len(ordered) - 1))], 3),
        },
        "failures": seen.failed[:20],
        "memory_mb": {"second_fifth": early, "last_fifth": late, "grown": round(late / early - 1, 4),
                      "most": max(mb for _, mb, _, _ in memory.samples), "at_rest": memory.samples[-1][1]},
        "threads": {"most": max(count for _, _, count, _ in memory.samples), "at_rest": memory.samples[-1][2]},
        "open_connections": {"most": max(count for *_, count in memory.samples), "at_rest": left},
        "longest_late_s": round(seen.longest_late_s, 1),
        "outcomes": {kind: dict(counts) for kind, counts in sorted(seen.outcomes.items())},
        "samples": memory.samples[:: max(1, len(memory.samples) // 60)],
    }  # fmt: skip


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path("build/soak.json"))
    chosen = parser.parse_args()
    with temporary_data("soak-", ON_DISK) as data:
        report = run(data, Plan(chosen.requests, chosen.connections, 60.0 * chosen.minutes, chosen.seed))
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps({key: value for key, value in report.items() if key != "samples"}, indent=1))
    held = not report["honest"]["failed"] and report["memory_mb"]["grown"] <= GROWS_AT_MOST
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
