"""Command and environment of every process."""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

import shared
from shared.core.config import ModelSettings
from shared.devstack.backends import Backends
from shared.devstack.commands import Command
from shared.devstack.ports import LOOPBACK
from shared.devstack.secrets import secrets_of

PROJECT_ROOT: Final = Path(shared.__file__).resolve().parents[1]

OBSERVED: Final = ("request", "inference", "control-loop", "refit", "audit", "beat")  # in the order of their ports
SHARED_COUNTS: Final = "metrics"  # folder in which the workers of the request API count together
GIVEN: Final = {"control-loop": ("DROP_KEY", "MAIL_URL")}  # secrets of the operator's for one process alone
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
    "ENGINE_KEY",
    *(name for names in GIVEN.values() for name in names),
)


def web_command(service: str, port: int, env: Mapping[str, str]) -> Command:
    """How the HTTP service `service` is started on loopback."""
    health = f"http://{LOOPBACK}:{port}/healthz"

    def ready() -> bool:
        try:
            return httpx.get(health, timeout=2, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    argv = [sys.executable, "-m", f"services.{service}.server", "--host", LOOPBACK, "--port", str(port)]
    if service == "request":  # the other is one process: a model is loaded once
        argv += ["--workers", "2"]
    return Command(service, argv, env, ready, patience_s=180)


@dataclass(frozen=True)
class StackCommands:
    """The HTTP services, which are waited for, and the workers, which may take their time to load a model."""

    services: list[Command]
    workers: list[Command]


@dataclass(frozen=True)
class ProcessSpecs:
    """The command and the environment of every process of a stack.

    `base` is the environment of the caller, `known` the secrets of the stack.
    """

    data: Path
    base: Mapping[str, str]
    backends: Backends
    known: Mapping[str, str]
    request_port: int
    inference_port: int
    metrics_ports: Mapping[str, int] = field(default_factory=dict)  # by process; one that is missing serves none

    def env(self, process: str) -> dict[str, str]:
        """The environment of `process`: its own secrets and no other process's."""
        hidden = {f"LACUNA_{name}" for name in SECRET_NAMES}
        env = {name: value for name, value in self.base.items() if name not in hidden}
        env |= {
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(PROJECT_ROOT), env.get("PYTHONPATH", "")))),
            "TOKENIZERS_PARALLELISM": "false",
            "LACUNA_DATA": str(self.data),
            "LACUNA_MODEL_SOURCE": self._model(),
            "LACUNA_METRICS_PORT": str(self.metrics_ports.get(process, 0)),
        }
        if process == "request" and self.metrics_ports:
            env["PROMETHEUS_MULTIPROC_DIR"] = str(self.data / SHARED_COUNTS)
        env |= {"LACUNA_S3_ENDPOINT": self.backends.s3_endpoint} | secrets_of(process, self.backends, self.known)
        if "LACUNA_KEK" in env and self.base.get("LACUNA_VAULT_TOKEN"):
            env["LACUNA_VAULT_TOKEN"] = self.base["LACUNA_VAULT_TOKEN"]
        if process == "control-loop" and self.backends.s3_compact:
            env["LACUNA_S3_COMPACT"] = self.backends.s3_compact
        if process == "inference" and self.base.get("LACUNA_ENGINE_KEY"):
            env["LACUNA_ENGINE_KEY"] = self.base["LACUNA_ENGINE_KEY"]
        given = (f"LACUNA_{name}" for name in GIVEN.get(process, ()))
        env |= {name: self.base[name] for name in given if self.base.get(name)}
        return env

    def commands(self) -> StackCommands:
        """How the processes are started."""
        celery = [sys.executable, "-m", "celery", "-A"]
        solo = ["--pool", "solo", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        services = [
            self._web_command("inference", self.inference_port),
            self._web_command("request", self.request_port),
        ]
        workers = [
            Command("control-loop", [sys.executable, "-m", "services.request.worker.main"], self.env("control-loop")),
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
                [*celery, "services.refit.beat", "beat", "--scheduler", "celery.beat:Scheduler", "--pidfile="],
                self.env("beat"),
            ),
        ]
        return StackCommands(services, workers)

    def _web_command(self, service: str, port: int) -> Command:
        return web_command(service, port, self.env(service))

    def _model(self) -> str:
        """The model's folder; one that is relative to the project's root is found from everywhere."""
        source = self.base.get("LACUNA_MODEL_SOURCE") or ModelSettings().source
        for place in (Path(source), PROJECT_ROOT / source):
            if place.is_dir():
                return str(place.resolve())
        return str(source)
