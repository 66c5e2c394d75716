"""Which process is given which secret: the one list that `lacuna up` and the deployment files follow."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from shared.db.roles import SERVICES, service_url
from shared.devstack import mutual_tls
from shared.devstack.backends import Backends, load_secrets
from shared.domain.accounts import INITIAL_ACCOUNTS

STORE: Final = ("S3_ACCESS_KEY", "S3_SECRET_KEY", "KEK")
NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "bootstrap": ("DATABASE_URL",),
    "request": ("DATABASE_URL", "REDIS_URL", *STORE, "VERIFY_KEYS", "LOG_VERIFY_KEYS"),
    "control-loop": ("DATABASE_URL", "REDIS_URL", *STORE, "LOG_KEY", "LOG_VERIFY_KEYS"),
    "refit": ("DATABASE_URL", "REDIS_URL", *STORE, "SIGNING_KEY"),
    "audit": ("DATABASE_URL", "REDIS_URL", *STORE, "VERIFY_KEYS"),
    "inference": ("DATABASE_URL", *STORE, "VERIFY_KEYS"),
    "beat": ("REDIS_URL",),
}
ROLE: Final = {"control-loop": "control", "bootstrap": "request"}  # whose database role it uses
S3_CONFIGURATION: Final = "/etc/seaweedfs"  # where the container of the S3 server finds its certificates
DEPLOYED: Final = "postgresql://{user}:{password}@postgres:5432/lacuna"


def secrets_of(process: str, backends: Backends, known: Mapping[str, str]) -> dict[str, str]:
    """The secret variables of `process`, and of no other process."""
    role = ROLE.get(process, process)
    every = {
        "REDIS_URL": backends.redis_url,
        "S3_ACCESS_KEY": backends.s3_access_key,
        "S3_SECRET_KEY": backends.s3_secret_key,
        "KEK": known["kek"],
        "SIGNING_KEY": known["signing_key"],
        "VERIFY_KEYS": known["verify_keys"],
        "LOG_KEY": known["log_key"],
        "LOG_VERIFY_KEYS": known["log_verify_keys"],
    }
    if f"role_{role}" in known:
        every["DATABASE_URL"] = service_url(backends.database_url, role, known[f"role_{role}"])
    variables = {f"LACUNA_{name}": every[name] for name in NEEDS[process]}
    if "KEK" in NEEDS[process]:  # after a rotation
        variables |= {f"LACUNA_{name.upper()}": known[name] for name in ("old_keks", "index_key") if known.get(name)}
    return variables


def write_secrets(folder: Path) -> list[Path]:
    """Draw the secrets of a deployment, once, into `folder`: an env file for each container, keys.json for people."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    known = load_secrets(folder)
    keys = _keys(folder / "keys.json")
    admin = DEPLOYED.format(user="lacuna", password=known["postgres_password"])
    backends = Backends(
        database_url=admin,
        redis_url=f"redis://:{known['redis_password']}@redis:6379/0",
        s3_endpoint="",
        s3_access_key=known["s3_access_key"],
        s3_secret_key=known["s3_secret_key"],
    )
    files = {process: secrets_of(process, backends, known) for process in NEEDS}
    files["bootstrap"]["LACUNA_FIRST_KEYS"] = ",".join(f"{owner}={key}" for owner, key in keys.items())
    files["migrate"] = {
        "LACUNA_DATABASE_URL": admin,
        "LACUNA_ROLE_PASSWORDS": ",".join(f"{service}={known[f'role_{service}']}" for service in SERVICES),
    }
    files["postgres"] = {"POSTGRES_USER": "lacuna", "POSTGRES_PASSWORD": known["postgres_password"]}
    files["redis"] = {"REDISCLI_AUTH": known["redis_password"]}
    files["metrics"] = {"LACUNA_METRICS_TOKEN": known["metrics_token"]}
    files["engine"] = {"LACUNA_ENGINE_KEY": known["engine_key"]}
    files["vllm"] = {"VLLM_API_KEY": known["engine_key"]}
    files["s3"] = {"AWS_ACCESS_KEY_ID": known["s3_access_key"], "AWS_SECRET_ACCESS_KEY": known["s3_secret_key"]}
    if not (folder / mutual_tls.CONFIGURATION).is_file():
        mutual_tls.write_mutual_tls(folder, S3_CONFIGURATION)
    return [
        _private(folder / f"{name}.env", "".join(f"{key}={value}\n" for key, value in sorted(values.items())))
        for name, values in files.items()
    ]


def _keys(path: Path) -> dict[str, str]:
    if not path.is_file():
        keys = {owner: f"lk_{secrets.token_urlsafe(24)}" for owner in INITIAL_ACCOUNTS}
        _private(path, json.dumps(keys, indent=1))
    stored: dict[str, str] = json.loads(path.read_text())
    return stored


def _private(path: Path, text: str) -> Path:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    return path
