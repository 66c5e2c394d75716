"""The whole of Lacuna on one machine: parts, migrations, roles, services, workers, beat, under one supervisor.

`running_stack` is for programs (the demo, tests), `up` for people. Each service is given only the secrets it needs.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console

import shared
from migrations.run import upgrade
from services.cli.secrets import secrets_of
from shared.config import Settings
from shared.db.roles import SERVICES, ensure_roles
from shared.errors import BadInput, Unavailable
from shared.stack.embedded import Parts, load_secrets, locked, start_parts
from shared.stack.ports import LOOPBACK, free_ports, taken
from shared.stack.supervisor import Command, Log, Supervisor

HOUSE: Final = Path(shared.__file__).resolve().parents[1]
STACK_FILE: Final = "stack.json"
LOG_KEYS_FILE: Final = "log-keys.txt"  # public: what an auditor pins
OWN_KEYS: Final = ("kek", "old_keks", "index_key", "signing_key", "verify_keys", "log_key", "log_verify_keys")
SECRET_NAMES: Final = (
    "ROLE_PASSWORDS",
    "FIRST_KEYS",
    "DATABASE_URL",
    "REDIS_URL",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
    "KEK",
    "OLD_KEKS",
    "INDEX_KEY",
    "SIGNING_KEY",
    "VERIFY_KEYS",
    "VAULT_TOKEN",
    "LOG_KEY",
    "LOG_VERIFY_KEYS",
)


@dataclass(frozen=True)
class Running:
    """A stack that answers. `keys` are the API keys of its first people, by name."""

    request_url: str
    inference_url: str
    keys: Mapping[str, str]
    data: Path
    supervisor: Supervisor
    parts: Parts


@contextmanager
def running_stack(
    data: Path,
    *,
    env: Mapping[str, str] | None = None,
    ports: tuple[int, int] | None = None,
    log: Log | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[Running]:
    """A stack over `data` until the block ends; `ports` of the request and inference services, free ones by default.

    Raises Unavailable or BadInput, in a sentence, where something does not come up; nothing is left running then.
    """
    data = data.resolve()
    merged = {**os.environ, **(env or {})}
    for port in ports or ():
        if taken(port):
            raise BadInput(f"Port {port} is taken; choose others with LACUNA_REQUEST_PORT and LACUNA_INFERENCE_PORT.")
    request_port, inference_port = ports or tuple(free_ports(2))
    with locked(data), (data / "stack.log").open("a", buffering=1) as file:

        def write(name: str, line: str) -> None:
            if not file.closed:
                file.write(f"{name:>9} | {line}\n")
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
            parts = start_parts(supervisor, data, merged, known)
            world = _World(data, merged, parts, known, request_port, inference_port)
            say("roles and migrations")
            ensure_roles(parts.database_url, {service: known[f"role_{service}"] for service in SERVICES})
            upgrade(parts.database_url)
            say("services")
            doors, workers = world.commands()
            for command in doors:
                supervisor.start(command, wait=False)
            _once([sys.executable, "-m", "services.request.initialise"], world.env("initialise"), write)
            for command in doors:
                supervisor.wait(command.name)
            for command in workers:
                supervisor.start(command, wait=False)
            running = Running(
                request_url=f"http://{LOOPBACK}:{request_port}",
                inference_url=f"http://{LOOPBACK}:{inference_port}",
                keys=json.loads((data / "keys.json").read_text()),
                data=data,
                supervisor=supervisor,
                parts=parts,
            )
            (data / STACK_FILE).write_text(
                json.dumps({"request_url": running.request_url, "inference_url": running.inference_url}, indent=1)
            )
            yield running
        finally:
            (data / STACK_FILE).unlink(missing_ok=True)
            supervisor.stop()


def up(data: Path, settings: Settings) -> None:
    """Start, say where everything is, and run until Ctrl-C or SIGTERM; raises Unavailable where a child dies."""
    out = Console(highlight=False)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    colours = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_yellow")

    def log(name: str, line: str) -> None:
        out.print(f"[{colours[sum(map(ord, name)) % len(colours)]}]{name:>9}[/] | ", end="")
        out.print(line, markup=False)

    ports = (settings.request_port, settings.inference_port)

    def say(what: str) -> None:
        out.print(f"[dim]starting {what} ...[/]")

    with running_stack(data, ports=ports, log=log, say=say) as running:
        out.print(f"\n[bold]Lacuna is up.[/]  requests: {running.request_url}  inference: {running.inference_url}")
        out.print(f"Keys of its first people: {running.data / 'keys.json'}.  Elsewhere: [bold]lacuna status[/]")
        out.print("Ctrl-C stops everything; the next start finds the data again.\n")
        while not done.wait(0.2):
            if running.supervisor.fallen.is_set():
                raise Unavailable(running.supervisor.why)
        out.print("\nStopping ...")


def web_command(service: str, port: int, env: Mapping[str, str]) -> Command:
    """How the HTTP service `service` is started on loopback."""
    health = f"http://{LOOPBACK}:{port}/healthz"

    def ready() -> bool:
        try:
            return httpx.get(health, timeout=2, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    argv = [sys.executable, "-m", "uvicorn", f"services.{service}.app:create", "--factory", "--host", LOOPBACK]
    workers = ["--workers", "2"] if service == "request" else []  # a model is loaded once
    argv += ["--port", str(port), "--log-level", "warning", *workers]
    return Command(service, argv, env, ready, patience_s=90)


@dataclass(frozen=True)
class _World:
    """Who is given what."""

    data: Path
    base: Mapping[str, str]
    parts: Parts
    known: Mapping[str, str]
    request_port: int
    inference_port: int

    def env(self, process: str) -> dict[str, str]:
        """The environment of `process`."""
        hidden = {f"LACUNA_{name}" for name in SECRET_NAMES}
        env = {name: value for name, value in self.base.items() if name not in hidden}
        env |= {
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(HOUSE), env.get("PYTHONPATH", "")))),
            "TOKENIZERS_PARALLELISM": "false",
            "LACUNA_DATA": str(self.data),
            "LACUNA_MODEL_SOURCE": self._model(),
        }
        env |= {"LACUNA_S3_ENDPOINT": self.parts.s3_endpoint} | secrets_of(process, self.parts, self.known)
        if "LACUNA_KEK" in env and self.base.get("LACUNA_VAULT_TOKEN"):
            env["LACUNA_VAULT_TOKEN"] = self.base["LACUNA_VAULT_TOKEN"]
        return env

    def commands(self) -> tuple[list[Command], list[Command]]:
        """The doors, which are waited for, and the workers, which load models in their own time."""
        celery = [sys.executable, "-m", "celery", "-A"]
        solo = ["--pool", "solo", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        doors = [
            self._web("inference", self.inference_port),
            self._web("request", self.request_port),
        ]
        workers = [
            Command("clerk", [sys.executable, "-m", "services.request.clerk"], self.env("clerk")),
            Command(
                "refit",
                [*celery, "services.refit.worker", "worker", "-Q", "refit", "-n", "refit@%h", *solo],
                self.env("refit"),
                stop_signal=signal.SIGQUIT,  # at once: every task may be killed and repeated
            ),
            Command(
                "audit",
                [*celery, "services.audit.worker", "worker", "-Q", "audit", "-n", "audit@%h", *solo],
                self.env("audit"),
                stop_signal=signal.SIGQUIT,
            ),
            Command(
                "beat",
                [*celery, "services.refit.schedule", "beat", "--scheduler", "celery.beat:Scheduler", "--pidfile="],
                self.env("beat"),
            ),
        ]
        return doors, workers

    def _web(self, service: str, port: int) -> Command:
        return web_command(service, port, self.env(service))

    def _model(self) -> str:
        """A folder given relative to the house is found from everywhere."""
        source = self.base.get("LACUNA_MODEL_SOURCE") or Settings.model_fields["model_source"].default
        for place in (Path(source), HOUSE / source):
            if place.is_dir():
                return str(place.resolve())
        return str(source)


def _once(argv: list[str], env: Mapping[str, str], log: Log) -> None:
    """Run to the end; raises Unavailable with what it said last where it fails."""
    name = argv[-1].split(".")[-1]
    done = subprocess.run(argv, env=dict(env), capture_output=True, text=True, check=False)
    for line in (done.stdout + done.stderr).splitlines():
        log(name, line)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise Unavailable(f"{' '.join(argv[1:])} failed: {said}")
