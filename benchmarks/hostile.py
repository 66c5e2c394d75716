"""What hostile clients and files cost: `python -m benchmarks.hostile --json build/hostile.json`.

The flood: the officer's API in a process of its own, over private backends. Honest requests are timed alone, then
beside connections that send nothing, requests without a key that announce and send 60 MB, and headers that never end.
The files: each hostile picture or file is read in a process of its own, whose CPU time and memory are measured.
"""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from benchmarks.hostile_files import write_all
from migrations.run import upgrade
from services.request.bootstrap import bootstrap
from shared.db.roles import SERVICES, ensure_roles, service_url
from shared.db.session import make_engine
from shared.devstack.backends import load_secrets, start_backends, temporary_data
from shared.devstack.ports import LOOPBACK, free_ports
from shared.devstack.processes import web_command
from shared.devstack.supervisor import Supervisor

CONNECTIONS: Final = 1000
BODY: Final = 60 * 1024 * 1024
HONEST: Final = 300  # requests
SENDERS: Final = 8  # threads that send bodies without a key, over and over
MOST_CPU_S, MOST_MB = 2.0, 300.0  # of one picture or file
MODEL: Final = "demo-vlm"


def main() -> None:
    """Measure both and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("build/hostile.json"))
    parser.add_argument("--read", nargs=2, metavar=("READER", "FILE"), help="read one file, for a process of its own")
    parser.add_argument("--flood", metavar="URL", help="flood a service, for a process of its own")
    chosen = parser.parse_args()
    if chosen.flood:
        flood(chosen.flood)
        return
    if chosen.read:
        print(json.dumps(read_one(*chosen.read)))
        return
    files, flooded = measure_files(), measure_flood()
    result = {"files": files, "flood": flooded}
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(flooded, indent=1))
    over = [each["name"] for each in files if each["cpu_s"] > MOST_CPU_S or each["mb"] > MOST_MB]
    print(f"{len(files)} files, most CPU {max(f['cpu_s'] for f in files):.2f} s, most memory "
          f"{max(f['mb'] for f in files):.0f} MB above rest, over a bound: {over or 'none'}")  # fmt: skip


def measure_files() -> list[dict[str, Any]]:
    """Every hostile file, each read in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for reader, path in write_all(Path(folder)):
            command = [sys.executable, "-m", "benchmarks.hostile", "--read", reader, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
            found.append({"name": path.name, "bytes": path.stat().st_size, **json.loads(done.stdout or "{}")})
            print(found[-1], flush=True)
        return found


def read_one(reader: str, file: str) -> dict[str, Any]:
    """CPU time and memory of reading one file, above what the process took before, and what became of it."""
    from benchmarks.hostile_files import READERS  # noqa: PLC0415

    read, data = READERS[reader], Path(file)
    rest_mb, rest_s = _peak_mb(), time.process_time()
    try:
        outcome = str(read(data))
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is the outcome
        outcome = f"{type(exc).__name__}: {getattr(exc, 'detail', exc)}"[:120]
    return {
        "outcome": outcome,
        "cpu_s": round(time.process_time() - rest_s, 3),
        "mb": round(_peak_mb() - rest_mb, 1),
    }


def measure_flood() -> dict[str, Any]:
    """Memory and latency of the officer's API, at rest and under a flood without a key."""
    with _service() as (url, key, pid):
        rest = _timed(url, key)
        before_mb = _resident_mb(pid)
        # A process of its own, and the last to be given the processor: the senders stand for other machines.
        command = ["nice", "-n", "19", sys.executable, "-m", "benchmarks.hostile", "--flood", url]
        flood = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert flood.stdout is not None
            idle = int(flood.stdout.readline())
            flooded = _timed(url, key)
            peak_mb = _resident_mb(pid)
        finally:
            flood.kill()
            flood.wait()
        return {
            "idle_connections": idle,
            "senders": SENDERS,
            "memory_before_mb": before_mb,
            "memory_under_flood_mb": peak_mb,
            "memory_added_mb": round(peak_mb - before_mb, 1),
            "honest_at_rest": rest,
            "honest_under_flood": flooded,
            "p99_ratio": round(flooded["p99_ms"] / rest["p99_ms"], 2),
        }


@contextlib.contextmanager
def _service() -> Iterator[tuple[str, str, int]]:
    """The request service in one process: its URL, an officer's key, its process id."""
    supervisor = Supervisor(lambda _name, _line: None)
    with temporary_data("lacuna-hostile-") as data:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("LACUNA_")}
        try:
            known = load_secrets(data)
            backends = start_backends(supervisor, data, plain, known)
            passwords = {service: known[f"role_{service}"] for service in SERVICES}
            ensure_roles(backends.database_url, passwords)
            upgrade(backends.database_url)
            database = service_url(backends.database_url, "request", known["role_request"])
            engine = make_engine(database)
            bootstrap(engine, MODEL, f"models/{MODEL}", data / "keys.json")
            engine.dispose()
            env = plain | {
                "LACUNA_DATABASE_URL": database,
                "LACUNA_REDIS_URL": backends.redis_url,
                "LACUNA_KEK": known["kek"],
                "LACUNA_DATA": str(data),
                "LACUNA_METRICS_PORT": "0",
                "LACUNA_MODEL_ID": MODEL,
                "LACUNA_LOG_ACCESS": "false",
                "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
            }
            (port,) = free_ports(1, below=55000)
            command = web_command("request", port, env)
            argv = [*command.argv[: command.argv.index("--workers")]]  # one process, so that its memory is seen
            process = subprocess.Popen(argv, env=env)
            try:
                while command.ready is not None and not command.ready():
                    time.sleep(0.2)
                yield f"http://{LOOPBACK}:{port}", json.loads((data / "keys.json").read_text())["olivia"], process.pid
            finally:
                process.terminate()
                process.wait(30)
        finally:
            supervisor.stop()


def flood(url: str) -> None:
    """Send without a key until the process is killed; prints how many idle connections there are."""
    stop = threading.Event()
    for target in (*[_send_bodies] * SENDERS, _endless_headers):
        threading.Thread(target=target, args=(url, stop), daemon=True).start()
    with _idle_connections(url, CONNECTIONS) as count:
        print(count, flush=True)
        stop.wait(600)


def _timed(url: str, key: str) -> dict[str, float]:
    """How long honest requests take: lists of tickets and health checks in turn."""
    times, failed = [], 0
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False) as client:
        for number in range(HONEST + 20):
            began = time.perf_counter()
            answer = client.get("/healthz" if number % 2 else "/v1/tickets?limit=10")
            if number >= 20:  # the first ones connect and warm up
                times.append(1000 * (time.perf_counter() - began))
                failed += answer.status_code != httpx.codes.OK
            time.sleep(0.01)
    times.sort()
    return {
        "median_ms": round(statistics.median(times), 2),
        "p99_ms": round(times[int(0.99 * len(times))], 2),
        "failed": failed,
    }


def _send_bodies(url: str, stop: threading.Event) -> None:
    """`{"names":[[],[],...]}` of 60 MB without a key, again and again."""
    place = urlsplit(url)
    head = f"POST /v1/tickets HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {BODY}\r\n\r\n"
    piece = b"[]," * 20_000
    while not stop.is_set():
        with contextlib.suppress(OSError), socket.create_connection((place.hostname or "", place.port or 0), 5) as sent:
            sent.sendall(head.encode() + b'{"names":[')
            for _ in range(BODY // len(piece)):
                sent.sendall(piece)
        stop.wait(0.05)  # a client that is refused comes again


def _endless_headers(url: str, stop: threading.Event) -> None:
    place = urlsplit(url)
    while not stop.is_set():
        with contextlib.suppress(OSError), socket.create_connection((place.hostname or "", place.port or 0), 5) as sent:
            sent.sendall(b"GET /v1/tickets HTTP/1.1\r\nX: ")
            while not stop.is_set():
                sent.sendall(b"a" * 65536)


@contextlib.contextmanager
def _idle_connections(url: str, count: int) -> Iterator[int]:
    """Connections that send nothing. They are cut after ten seconds, and this is not what is measured."""
    place = urlsplit(url)
    held = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            held.append(socket.create_connection((place.hostname or "", place.port or 0), 5))
    try:
        yield len(held)
    finally:
        for connection in held:
            connection.close()


def _resident_mb(pid: int | str) -> float:
    """The highest resident memory of the process so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def _peak_mb() -> float:
    return _resident_mb("self")  # not ru_maxrss, which begins with that of the parent


if __name__ == "__main__":
    main()
