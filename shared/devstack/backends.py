"""PostgreSQL, Redis and the S3 server of a stack: those that the environment names, else private ones."""

import base64
import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.crypto.signing import Signer
from shared.db.roles import SERVICES
from shared.devstack import postgres, seaweedfs, valkey
from shared.devstack.ports import LOOPBACK, free_ports
from shared.devstack.supervisor import Supervisor
from shared.errors import Conflict
from shared.transparency.checkpoints import PublicKey
from shared.transparency.media_types import LOG_NAME

SECRETS = "secrets.json"


@dataclass(frozen=True)
class Backends:
    """Where they are. `database_url` is the administrator's."""

    database_url: str
    redis_url: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    s3_compact: str = ""  # a shell command, of a private server


def start_backends(supervisor: Supervisor, data: Path, env: Mapping[str, str], known: Mapping[str, str]) -> Backends:
    """Start the backends that `env` does not name, all at once, then wait for each.

    `known` holds the secrets of the stack. Raises Unavailable where one does not come up.
    """
    plain = {name: value for name, value in env.items() if not name.startswith("LACUNA_")}
    database, redis, s3 = (env.get(f"LACUNA_{n}", "") for n in ("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT"))
    postgres_port, valkey_port, s3_port = free_ports(3, below=55000)
    commands = []
    compact = ""
    if not s3:
        commands.append(seaweedfs.command(data, s3_port, known["s3_access_key"], known["s3_secret_key"], plain))
        compact = seaweedfs.compact_command(commands[0])
    if not redis:
        commands.append(valkey.command(data, valkey_port, known["redis_password"], plain))
    for command in commands:
        supervisor.start(command, wait=False)
    if not database:
        command = postgres.command(data, postgres_port, known["postgres_password"], plain)
        supervisor.start(command, wait=False)
        commands.append(command)
    for command in commands:
        supervisor.wait(command.name)
    return Backends(
        database_url=database or postgres.url(postgres_port, known["postgres_password"]),
        redis_url=redis or valkey.url(valkey_port, known["redis_password"]),
        s3_endpoint=s3 or f"http://{LOOPBACK}:{s3_port}",
        s3_access_key=env.get("LACUNA_S3_ACCESS_KEY", "") if s3 else known["s3_access_key"],
        s3_secret_key=env.get("LACUNA_S3_SECRET_KEY", "") if s3 else known["s3_secret_key"],
        s3_compact=compact,
    )


def load_secrets(data: Path) -> dict[str, str]:
    """The stack's own secrets: drawn once, then kept in `data`/secrets.json (mode 0600)."""
    path = data / SECRETS
    known: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    private, public = Signer.generate()
    fresh = {
        name: secrets.token_hex(16)
        for name in (
            "postgres_password",
            "redis_password",
            "s3_access_key",
            "s3_secret_key",
            "metrics_token",
            "engine_key",
        )
    }
    fresh |= {f"role_{service}": secrets.token_hex(16) for service in SERVICES}
    fresh["kek"] = base64.b64encode(secrets.token_bytes(32)).decode()
    if "signing_key" not in known:
        fresh |= {
            "signing_key": base64.b64encode(private).decode(),
            "verify_keys": base64.b64encode(public).decode(),
        }
    if "log_key" not in known:
        private, public = Signer.generate()
        fresh |= {
            "log_key": base64.b64encode(private).decode(),
            "log_verify_keys": PublicKey(LOG_NAME, public).line(),
        }
    complete = fresh | known
    if complete != known:
        partial = path.with_suffix(".half")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(complete, file, indent=1)
        partial.replace(path)
    return complete


@contextmanager
def temporary_data(prefix: str = "lacuna-", folder: str | Path | None = None) -> Iterator[Path]:
    """A data folder in `folder` until the block ends; whatever a stack keeps of it elsewhere goes with it."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder) as name:
        data = Path(name).resolve()
        data.chmod(0o711)  # run by root, PostgreSQL runs as nobody and must reach its folder inside
        try:
            yield data
        finally:
            postgres.discard(data)


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the folder until the block ends. Raises Conflict where another stack holds it."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise Conflict(f"Another stack is running over {data}.") from exc
        yield
