"""The whole of Lacuna on one machine: backends, roles, migrations, services and workers, under one supervisor.

Each service is given only the secrets it needs.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from migrations.run import upgrade
from shared.db.roles import SERVICES, ensure_roles
from shared.devstack.backends import Backends, load_secrets, locked, start_backends
from shared.devstack.ports import LOOPBACK, free_ports, reserve, taken
from shared.devstack.processes import SHARED_COUNTS, ProcessSpecs
from shared.devstack.restarts import STATES_FILE, RestartPolicy, write_states
from shared.devstack.supervisor import Log, Supervisor
from shared.errors import BadInput, Unavailable

STACK_FILE: Final = "stack.json"
AUDIT_ENVIRONMENT_FILE: Final = "audit-environment.json"  # secret (mode 0600), while the stack runs
LOG_KEYS_FILE: Final = "log-keys.txt"  # public: what an auditor pins
OWN_KEYS: Final = ("kek", "old_keks", "index_key", "signing_key", "verify_keys", "log_key", "log_verify_keys")


@dataclass(frozen=True)
class Running:
    """A stack that answers. `keys` are the API keys of its first accounts, by name."""

    request_url: str
    inference_url: str
    keys: Mapping[str, str]
    data: Path
    supervisor: Supervisor
    backends: Backends


@contextmanager
def running_stack(
    data: Path,
    *,
    env: Mapping[str, str] | None = None,
    ports: tuple[int, int] | None = None,
    log: Log | None = None,
    say: Callable[[str], None] = lambda _: None,
    restarts: RestartPolicy | None = None,
    metrics_ports: Mapping[str, int] | None = None,
) -> Iterator[Running]:
    """A stack over the folder `data` until the block ends.

    `ports` are those of the request and the inference service, free ones by default. `metrics_ports` say, by process,
    where metrics are served; by default nowhere. `log` is called with the name of
    a process and each line of its output, `say` with what is being started. Once everything has come up, a process that
    ends is started again as `restarts` says; without, its end is a failure of the supervisor. Raises Unavailable or
    BadInput where something does not come up; nothing is left running then.
    """
    data = data.resolve()
    merged = {**os.environ, **(env or {})}
    for port in ports or ():
        if taken(port) or not reserve(port):
            raise BadInput(f"Port {port} is taken; choose others with LACUNA_REQUEST_PORT and LACUNA_INFERENCE_PORT.")
    request_port, inference_port = ports or tuple(free_ports(2))
    with locked(data), (data / "stack.log").open("a", buffering=1) as file:

        def write(name: str, line: str) -> None:
            if not file.closed:
                file.write(f"{name:>12} | {line}\n")
            if log is not None:
                log(name, line)

        supervisor = Supervisor(write)
        try:
            known = load_secrets(data)
            known |= {
                name: merged[f"LACUNA_{name.upper()}"] for name in OWN_KEYS if merged.get(f"LACUNA_{name.upper()}")
            }
            (data / LOG_KEYS_FILE).write_text(known["log_verify_keys"].replace(",", "\n") + "\n")
            say("PostgreSQL, Redis, S3")
            backends = start_backends(supervisor, data, merged, known)
            specs = ProcessSpecs(data, merged, backends, known, request_port, inference_port, metrics_ports or {})
            shutil.rmtree(data / SHARED_COUNTS, ignore_errors=True)
            (data / SHARED_COUNTS).mkdir()
            say("roles and migrations")
            ensure_roles(backends.database_url, {service: known[f"role_{service}"] for service in SERVICES})
            upgrade(backends.database_url)
            say("services")
            commands = specs.commands()
            for command in commands.services:
                supervisor.start(command, wait=False)
            _run_to_end([sys.executable, "-m", "services.request.bootstrap"], specs.env("bootstrap"), write)
            for command in commands.services:
                supervisor.wait(command.name)
            for command in commands.workers:
                supervisor.start(command, wait=False)
            running = Running(
                request_url=f"http://{LOOPBACK}:{request_port}",
                inference_url=f"http://{LOOPBACK}:{inference_port}",
                keys=json.loads((data / "keys.json").read_text()),
                data=data,
                supervisor=supervisor,
                backends=backends,
            )
            write_private(data / AUDIT_ENVIRONMENT_FILE, specs.env("audit"))
            addresses = {"request_url": running.request_url, "inference_url": running.inference_url}
            metrics = {name: f"http://{LOOPBACK}:{port}/metrics" for name, port in (metrics_ports or {}).items()}
            written = data / f"{STACK_FILE}.new"
            written.write_text(json.dumps({**addresses, "metrics": metrics}, indent=1))
            written.replace(data / STACK_FILE)  # whole, for whoever waits for it
            if restarts is not None:
                supervisor.keep_running(restarts, lambda states: write_states(data / STATES_FILE, states))
            yield running
        finally:
            for name in (STACK_FILE, AUDIT_ENVIRONMENT_FILE):
                (data / name).unlink(missing_ok=True)
            supervisor.stop()
            (data / STATES_FILE).unlink(missing_ok=True)


def write_private(path: Path, environment: Mapping[str, str]) -> None:
    """Write the LACUNA_* variables of an environment as JSON that nobody else may read."""
    own = {name: value for name, value in environment.items() if name.startswith("LACUNA_")}
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(own, file, indent=1)


def _run_to_end(argv: list[str], env: Mapping[str, str], log: Log) -> None:
    """Run a command to its end. Raises Unavailable with the last line of its errors where it fails."""
    name = argv[-1].split(".")[-1]
    result = subprocess.run(argv, env=dict(env), capture_output=True, text=True, check=False)
    for line in (result.stdout + result.stderr).splitlines():
        log(name, line)
    if result.returncode:
        last_line = (result.stderr.strip().splitlines() or ["no output"])[-1]
        raise Unavailable(f"{' '.join(argv[1:])} failed: {last_line}")
