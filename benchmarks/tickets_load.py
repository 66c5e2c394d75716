"""How many tickets a second the officer's API files, and how long each takes: real HTTP, real backends.

Starts PostgreSQL, Redis, S3 and the request service (as `lacuna up` does, without the model services). It then posts
tickets with a photograph and an Idempotency-Key: as many as possible from `--clients` connections, then 50 a second by
the clock (an open loop: a slow answer does not delay the next request). At the end the control loop imports a file of
`--rows` tickets. CPU time for each ticket is reported for every process, this one included: unlike wall time, it does
not depend on other users of the machine. Run it with `make bench-tickets`. It needs no model.
"""

import argparse
import asyncio
import base64
import io
import json
import os
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from migrations.run import upgrade
from services.request.bootstrap import bootstrap
from shared.crypto.shredding_keys import FolderKeys
from shared.db.roles import SERVICES, ensure_roles, service_url
from shared.db.session import make_engine
from shared.devstack.backends import load_secrets, start_backends, temporary_data
from shared.devstack.commands import Command
from shared.devstack.ports import LOOPBACK, free_ports
from shared.devstack.processes import web_command
from shared.devstack.secrets import secrets_of
from shared.devstack.supervisor import Supervisor
from shared.evaluation.synthetic_portraits import draw, random_features


def ticket(number: int, photo: str) -> bytes:
    """The JSON body of a new ticket."""
    return json.dumps(
        {
            "names": [f"Mara Lindqvist {number}"],
            "photos": [photo],
            "facts": [{"attribute": "employer", "value": "Marble & Finch"}, {"attribute": "city", "value": "Ulm"}],
        }
    ).encode()


def photograph() -> str:
    """A drawn portrait as a data URL."""
    buffer = io.BytesIO()
    draw(random_features(random.Random(0))).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


class Connection:
    """One keep-alive HTTP/1.1 connection; without a client library, which would cost more CPU than the service."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key
        self._pipes: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: bytes) -> int:
        """Post a ticket and return the HTTP status."""
        if self._pipes is None or self._pipes[0].at_eof():  # the server closes a connection after five idle seconds
            self._pipes = await asyncio.open_connection(LOOPBACK, self._port)
        reader, writer = self._pipes
        head = (
            f"POST /v1/tickets HTTP/1.1\r\nHost: lacuna\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: {uuid.uuid4()}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await writer.drain()
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        return int(answer[9:12])


async def as_fast_as_possible(port: int, key: str, photo: str, clients: int, seconds: float) -> dict[str, Any]:
    """Post as many tickets as possible for `seconds`, from `clients` connections."""
    until, times, refused = time.perf_counter() + seconds, [], 0

    async def post_repeatedly(start: int) -> None:
        nonlocal refused
        connection, number = Connection(port, key), start * 1_000_000
        while time.perf_counter() < until:
            begun = time.perf_counter()
            refused += await connection.post(ticket(number, photo)) != 201
            times.append(time.perf_counter() - begun)
            number += 1

    begun = time.perf_counter()
    await asyncio.gather(*(post_repeatedly(index) for index in range(clients)))
    return _latencies(times, refused) | {"per_second": round(len(times) / (time.perf_counter() - begun), 1)}


async def by_the_clock(port: int, key: str, photo: str, rate: float, seconds: float) -> dict[str, Any]:
    """Post `rate` tickets a second, however long the answers take; times count from when each request was due."""
    times: list[float] = []
    refused, idle = 0, [Connection(port, key) for _ in range(32)]

    async def post_when_due(number: int, due: float) -> None:
        nonlocal refused
        connection = idle.pop() if idle else Connection(port, key)
        refused += await connection.post(ticket(number, photo)) != 201
        times.append(time.perf_counter() - due)
        idle.append(connection)

    begun, running = time.perf_counter(), []
    for number in range(int(rate * seconds)):
        due = begun + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        running.append(asyncio.create_task(post_when_due(number, due)))
    await asyncio.gather(*running)
    return _latencies(times, refused) | {"per_second": rate}


def _latencies(times: list[float], refused: int) -> dict[str, Any]:
    cut = statistics.quantiles(times, n=100)
    return {
        "n": len(times),
        "refused": refused,
        "p50_ms": round(1000 * cut[49], 1),
        "p95_ms": round(1000 * cut[94], 1),
        "p99_ms": round(1000 * cut[98], 1),
    }


def imported(port: int, key: str, number: int) -> dict[str, Any]:
    """Import a file of `number` tickets without photographs, and wait until the control loop has filed the last one."""
    head = {"Authorization": f"Bearer {key}"}
    lines = "".join(f"Person {row},Marble & Finch,Ulm,import-{row}\n" for row in range(number))
    with httpx.Client(base_url=f"http://{LOOPBACK}:{port}", headers=head, trust_env=False, timeout=60) as client:
        begun = time.perf_counter()
        sent = client.post(
            "/v1/imports",
            content=f"names,fact.employer,fact.city,external_ref\n{lines}",
            headers={"Content-Type": "text/csv"},
        )
        steps: set[int] = set()
        while (job := client.get(sent.headers["location"]).json())["status"] == "waiting":
            steps.add(job["done"])
            time.sleep(0.25)
    seconds = round(time.perf_counter() - begun, 1)
    return {"rows": number, "accepted": job["accepted"], "seconds": seconds, "steps_seen": len(steps)}


def cpu_s(roots: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds used so far by each process of `roots` (name -> pid) and its descendants."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            pid = int(path.parent.name)
            parents[pid] = int(fields[1])
            used[pid] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # includes children that have ended

    def of_tree(pid: int) -> float:
        return used.get(pid, 0.0) + sum(of_tree(child) for child, parent in parents.items() if parent == pid)

    return {name: of_tree(pid) for name, pid in roots.items()} | {"load": used[os.getpid()]}


def counted(roots: Mapping[str, int], work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run `work`; add the CPU milliseconds of each process for one ticket, and the machine's load before."""
    before, load = cpu_s(roots), os.getloadavg()[0]
    figures = work()
    number = figures.get("n") or figures["rows"]
    each = {name: round(1000 * (now - before[name]) / number, 2) for name, now in cpu_s(roots).items()}
    return figures | {"cpu_ms_a_ticket": each, "load_before": round(load, 1)}


def run(seconds: float, clients: int, number: int) -> dict[str, Any]:
    """Run all three measurements on a fresh stack."""
    log_lines: list[str] = []
    with temporary_data() as data:
        supervisor = Supervisor(lambda name, line: log_lines.append(f"{name}: {line}"))
        try:
            known, plain = load_secrets(data), dict(os.environ)
            backends = start_backends(supervisor, data, plain, known)
            ensure_roles(backends.database_url, {service: known[f"role_{service}"] for service in SERVICES})
            upgrade(backends.database_url)
            engine = make_engine(service_url(backends.database_url, "request", known["role_request"]))
            bootstrap(engine, "demo-vlm", "models/demo-vlm", data / "keys.json")
            engine.dispose()
            (port,) = free_ports(1)
            FolderKeys(data / "shredding-keys").set_up()
            plain |= {"LACUNA_SHREDDING_KEYS": str(data / "shredding-keys")}
            env = plain | secrets_of("request", backends, known)
            env |= {"LACUNA_S3_ENDPOINT": backends.s3_endpoint, "LACUNA_RATE_LIMIT": "1000000/minute"}
            supervisor.start(web_command("request", port, env))
            names = ("postgres", "valkey", "s3", "request")
            roots = {name: supervisor.pid(name) for name in names}
            key = json.loads((data / "keys.json").read_text())["olivia"]
            photo = photograph()
            httpx.get(f"http://{LOOPBACK}:{port}/readyz", trust_env=False)
            asyncio.run(as_fast_as_possible(port, key, photo, clients, 2.0))  # warms up
            result: dict[str, Any] = {
                "cores": len(os.sched_getaffinity(0)),
                "photo_kb": len(photo) // 1000,
                "flat_out": counted(
                    roots, lambda: asyncio.run(as_fast_as_possible(port, key, photo, clients, seconds))
                ),
                "at_50_per_second": counted(roots, lambda: asyncio.run(by_the_clock(port, key, photo, 50.0, seconds))),
            }
            if number:
                env = plain | secrets_of("control-loop", backends, known) | {"LACUNA_S3_ENDPOINT": backends.s3_endpoint}
                supervisor.start(Command("control-loop", [sys.executable, "-m", "services.request.worker.main"], env))
                roots["control-loop"] = supervisor.pid("control-loop")
                result["import"] = counted(roots, lambda: imported(port, key, number))
        finally:
            supervisor.stop()
    if result["flat_out"]["refused"] or result["at_50_per_second"]["refused"]:
        print("\n".join(log_lines[-10:]), file=sys.stderr)
    return result


def main() -> None:
    """Read the command line, measure, print and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    result = run(args.seconds, args.clients, args.rows)
    print(json.dumps(result, indent=1))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
