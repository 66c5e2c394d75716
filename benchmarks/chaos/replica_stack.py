"""PostgreSQL, Redis, the S3 server and three replicas, each connected by cables that can be cut (cable.py)."""

import base64
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
from sqlalchemy import Engine as Database

from benchmarks.chaos.cable import Cable
from benchmarks.chaos.versions import Publisher
from migrations.run import upgrade
from services.request.erasers.rollouts import is_rolled_out
from shared.artifacts import high_water_mark
from shared.artifacts.high_water_mark import NO_MARK
from shared.core.config import ModelSettings
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer
from shared.db.roles import SERVICES, ensure_roles, service_url
from shared.db.session import make_engine, transaction
from shared.devstack.backends import Backends, load_secrets, start_backends
from shared.devstack.commands import Command
from shared.devstack.ports import LOOPBACK, free_ports
from shared.devstack.processes import ProcessSpecs, web_command
from shared.devstack.supervisor import Supervisor
from shared.storage.s3 import S3Store

REPLICAS: Final = ("inference-0", "inference-1", "inference-2")
LEASE_S: Final = 5.0
SETTINGS: Final = {
    "LACUNA_REPLICA_LEASE_S": str(LEASE_S),
    "LACUNA_RATE_CLIENT": "1000000/minute",
    "LACUNA_RATE_CLIENT_AT_ONCE": "1000",
    "OMP_NUM_THREADS": "1",
}


@dataclass
class ReplicaStack:
    """The running processes, and what hurts them."""

    supervisor: Supervisor
    backends: Backends
    publisher: Publisher
    addresses: Mapping[str, str]
    cables: Mapping[tuple[str, str], Cable]
    client_key: str
    model_id: str
    lease_s: float = LEASE_S
    repaired_at: float = 0.0
    _killed: dict[str, Command] = field(default_factory=dict)

    def kill(self, name: str) -> None:
        """Kill a replica with SIGKILL."""
        self._killed[name] = self.supervisor.command(name)
        self.supervisor.kill(name)

    def start(self, name: str) -> None:
        """Start it again."""
        self.supervisor.start(self._killed.pop(name))

    def cut(self, name: str, server: str) -> None:
        """Cut a replica off from `database` or `store`."""
        self.cables[name, server].cut()

    def repair(self, name: str, server: str) -> None:
        """Repair what was cut."""
        self.repaired_at = time.monotonic()
        self.cables[name, server].repair()

    @contextmanager
    def without_announcements(self, name: str) -> Iterator[None]:
        """End the connection by which a replica hears announcements, again and again, while the block lasts."""
        done = threading.Event()

        def end() -> None:
            with psycopg.connect(self.backends.database_url, autocommit=True) as connection:
                while not done.wait(0.05):
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE query LIKE 'LISTEN%%' AND application_name = %s", (name,)
                    )  # fmt: skip

        thread = threading.Thread(target=end, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def states(self) -> list[tuple[str, str, int, bool, str | None]]:
        """Id, state, generation, whether the lease holds, and error of each replica, in the database."""
        with psycopg.connect(self.backends.database_url, autocommit=True) as connection:
            query = "SELECT id, state, generation, lease_until > clock_timestamp(), error FROM replica"
            return list(connection.execute(query))

    def serving(self, generation: int, names: Sequence[str]) -> bool:
        """Whether these replicas have acknowledged this generation."""
        current = {
            name for name, state, at, live, _ in self.states() if state == "serving" and at >= generation and live
        }
        return current >= set(names)

    def rolled_out(self, generation: int) -> bool:
        """Whether tickets would be completed, as the control loop decides it."""
        with transaction(self.publisher.database("request")) as session:
            return is_rolled_out(session, generation, self.model_id)

    def ready(self, names: Sequence[str]) -> bool:
        """Whether these replicas say that they are ready."""
        with contextlib.suppress(httpx.HTTPError):
            return all(
                httpx.get(f"{self.addresses[name]}/readyz", timeout=5, trust_env=False).status_code == httpx.codes.OK
                for name in names
            )
        return False


@contextmanager
def open_replica_stack(
    data: Path,
    model: Path,
    names: Sequence[str] = REPLICAS,
    settings: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Iterator[ReplicaStack]:
    """The servers and the replicas over the folder `data`, ready but without a version; all end with the block.

    `settings`: further variables of single replicas, by their names.
    """
    model_id = ModelSettings().id
    known = load_secrets(data)
    base = os.environ | SETTINGS | {"LACUNA_MODEL_SOURCE": str(model)}
    with (data / "replicas.log").open("a", buffering=1) as log, contextlib.ExitStack() as opened:
        supervisor = Supervisor(lambda name, line: None if log.closed else print(f"{name:>12} | {line}", file=log))
        opened.callback(supervisor.stop)
        backends = start_backends(supervisor, data, {"PATH": os.environ["PATH"]}, known)
        ensure_roles(backends.database_url, {service: known[f"role_{service}"] for service in SERVICES})
        upgrade(backends.database_url)
        specs = ProcessSpecs(data, base, backends, known, 0, 0)
        bootstrap = [sys.executable, "-m", "services.request.bootstrap"]
        subprocess.run(bootstrap, env=specs.env("bootstrap"), check=True, capture_output=True)
        keys = KeyRing(base64.b64decode(known["kek"]))
        store = S3Store(backends.s3_endpoint, backends.s3_access_key, backends.s3_secret_key, "lacuna")
        opened.callback(store.close)
        high_water_mark.write(store, keys, model_id, NO_MARK)  # as the control loop does before anything is published
        engines: dict[str, Database] = {}

        def database(role: str) -> Database:
            if role not in engines:
                engines[role] = make_engine(service_url(backends.database_url, role, known[f"role_{role}"]))
                opened.callback(engines[role].dispose)
            return engines[role]

        cables: dict[tuple[str, str], Cable] = {}
        addresses: dict[str, str] = {}
        for name, port in zip(names, free_ports(len(names)), strict=True):
            for server, url in (("database", backends.database_url), ("store", backends.s3_endpoint)):
                address = urlsplit(url)
                assert address.hostname is not None
                assert address.port is not None
                cables[name, server] = Cable((address.hostname, address.port))
                opened.callback(cables[name, server].close)
            environment = _environment(specs, name, cables) | dict(settings.get(name, {}))
            addresses[name] = f"http://{LOOPBACK}:{port}"
            supervisor.start(replace(web_command("inference", port, environment), name=name), wait=False)
        for name in names:
            supervisor.wait(name)
        signer = Signer(base64.b64decode(known["signing_key"]))
        client_key = json.loads((data / "keys.json").read_text())["casey"]
        publisher = Publisher(database, store, keys, signer, model_id)
        yield ReplicaStack(supervisor, backends, publisher, addresses, cables, client_key, model_id)


def _environment(specs: ProcessSpecs, name: str, cables: Mapping[tuple[str, str], Cable]) -> dict[str, str]:
    """The environment of a replica, which finds its servers at the ends of its cables."""
    environment = specs.env("inference") | {"LACUNA_REPLICA": name}
    for variable, server in (("LACUNA_DATABASE_URL", "database"), ("LACUNA_S3_ENDPOINT", "store")):
        url = urlsplit(environment[variable])
        user = f"{url.netloc.rpartition('@')[0]}@" if "@" in url.netloc else ""
        query = f"application_name={name}" if server == "database" else ""
        netloc = f"{user}{LOOPBACK}:{cables[name, server].port}"
        environment[variable] = urlunsplit(url._replace(netloc=netloc, query=query))
    assert not any("REDIS" in variable for variable in environment)
    return environment
