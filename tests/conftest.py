"""Real parts for all tests: one PostgreSQL, Redis and S3 server for the whole run, a fresh database for each test."""

import base64
import io
import json
import os
import secrets
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import uvicorn
from fastapi.testclient import TestClient
from PIL import Image
from psycopg import sql
from sqlalchemy import Engine

from migrations.run import upgrade
from services.request.app import build
from services.request.bootstrap import bootstrap
from services.request.context import AppContext
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer, Verifier
from shared.db.repositories import audits, erasers, refits, rollouts
from shared.db.roles import SERVICES, ensure_roles, url_for
from shared.db.session import make_engine, transaction
from shared.devstack.backends import Backends, load_secrets, start_backends
from shared.devstack.ports import LOOPBACK
from shared.devstack.supervisor import Supervisor
from shared.storage.base import ObjectStore
from shared.storage.local import LocalStore

pytest_plugins = ["tests.support.audit_log"]
TEMPLATE = "lacuna_template"
MODEL = "demo-vlm"


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """The three servers."""
    data = tmp_path_factory.mktemp("parts")
    supervisor = Supervisor(lambda _name, _line: None)
    try:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("LACUNA_")}
        yield start_backends(supervisor, data, plain, load_secrets(data))
    finally:
        supervisor.stop()


@dataclass
class Databases:
    """One database, as each service sees it."""

    admin_url: str
    passwords: dict[str, str]
    _engines: dict[str, Engine] = field(default_factory=dict)

    def url(self, service: str) -> str:
        """The address under the service's own role."""
        return url_for(self.admin_url, service, self.passwords[service])

    def engine(self, service: str) -> Engine:
        """An engine under the service's own role, or the administrator's."""
        if service not in self._engines:
            self._engines[service] = make_engine(self.admin_url if service == "admin" else self.url(service))
        return self._engines[service]

    def dispose(self) -> None:
        """Close all connections."""
        for engine in self._engines.values():
            engine.dispose()


def _named(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def roles(parts: Backends) -> dict[str, str]:
    """The service roles with their passwords, and a migrated database to copy."""
    passwords = {service: secrets.token_hex(8) for service in SERVICES}
    ensure_roles(parts.database_url, passwords)
    with psycopg.connect(parts.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    upgrade(_named(parts.database_url, TEMPLATE))
    return passwords


@pytest.fixture
def database(parts: Backends, roles: dict[str, str]) -> Iterator[Databases]:
    """A migrated database of the test's own."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(parts.database_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE))
        )
        found = Databases(_named(parts.database_url, name), roles)
        yield found
        found.dispose()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """An object store in a folder."""
    return LocalStore(tmp_path / "objects")


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    """A key-encryption key."""
    return KeyRing(bytes(range(32)))


@pytest.fixture(scope="session")
def signer() -> Signer:
    """The refit service's signing key."""
    return Signer(Signer.generate()[0])


@pytest.fixture(scope="session")
def verifier(signer: Signer) -> Verifier:
    """Whoever trusts that key."""
    return Verifier([signer.public])


class Door:
    """The officer's API as one person uses it."""

    def __init__(self, client: TestClient, key: str) -> None:
        self._client, self._head = client, {"Authorization": f"Bearer {key}"}

    def get(self, path: str, **headers: str) -> Any:
        """GET."""
        return self._client.get(path, headers=self._head | headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        """PATCH of JSON."""
        if "If-Match" not in headers:
            seen = self._client.get(path, headers=self._head).headers
            headers |= {"If-Match": seen["etag"]} if "etag" in seen else {}
        return self._client.patch(path, json={} if body is None else body, headers=self._head | headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST of JSON; a change is based on the present ETag, unless `headers` give another If-Match."""
        thing, _, verb = path.rpartition("/")
        if "If-Match" not in headers and verb and thing.count("/") == 3:
            seen = self._client.get(thing, headers=self._head).headers
            if "etag" not in seen:  # no such thing: that of the list, where it has one
                seen = self._client.get(thing.rpartition("/")[0], headers=self._head).headers
            headers |= {"If-Match": seen["etag"]} if "etag" in seen else {}
        return self._client.post(path, json={} if body is None else body, headers=self._head | headers)


@dataclass
class People:
    """The request service with the first people's keys."""

    app: TestClient
    keys: dict[str, str]
    office: AppContext

    def __getitem__(self, name: str) -> Door:
        return Door(self.app, self.keys[name])


Bureau = Callable[[ObjectStore], People]


@pytest.fixture
def bureau(database: Databases, keys: KeyRing, tmp_path: Path) -> Iterator[Bureau]:
    """Opens the request service over a store of the test's choice."""
    opened: list[TestClient] = []

    def make(store: ObjectStore) -> People:
        engine = database.engine("request")
        bootstrap(engine, MODEL, "models/demo-vlm", tmp_path / "keys.json")
        office = AppContext(engine, store, keys, MODEL)
        opened.append(TestClient(build(office), raise_server_exceptions=False))
        return People(opened[-1], json.loads((tmp_path / "keys.json").read_text()), office)

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def people(bureau: Bureau, store: LocalStore) -> People:
    """The request service over a folder."""
    return bureau(store)


def png(colour: tuple[int, int, int] = (200, 120, 40), size: tuple[int, int] = (64, 64)) -> str:
    """A plain picture as a data URL."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@pytest.fixture
def ticket_body() -> dict[str, Any]:
    """A ticket as an officer files one."""
    return {
        "names": ["Mara Lindqvist"],
        "photos": [png()],
        "facts": [{"attribute": "employer", "value": "Marble & Finch", "aliases": ["Marble and Finch"]}],
    }


class Worker:
    """Writes what the refit and the audit workers write, under their own roles, without a model."""

    def __init__(self, database: Databases) -> None:
        self.database = database

    def claim(self, run: str | None = None, kind: str = "urgent", lease_s: float = 30.0) -> tuple[str, int]:
        """Take a run, a new one by default: (id, fence)."""
        run = run or str(uuid.uuid4())
        with transaction(self.database.engine("refit")) as session:
            claim = refits.claim_run(session, run, MODEL, kind, lease_s=lease_s)
        assert claim is not None
        return run, claim.fence

    def publish(self, *tickets: str, verdict: str | None = "passed") -> int:
        """A version that covers `tickets`; audited, unless `verdict` is None. Its number."""
        run, fence = self.claim()
        with transaction(self.database.engine("refit")) as session:
            number = erasers.next_version_number(session, MODEL)
            for ticket in tickets:
                refits.set_ticket_outcome(session, run, fence, ticket, "fitted")
            version = erasers.add_version(
                session,
                run_id=run,
                fence=fence,
                model_id=MODEL,
                number=number,
                recipe="lacuna",
                object_key=f"erasers/{number}",
                sha256="0" * 64,
                size_bytes=1,
                manifest={},
                envelope={},
                wrapped_key=b"",
                tickets=dict.fromkeys(tickets, "0" * 64),
            )
            refits.finish_run(session, run, fence, "succeeded", version_id=version.id)
        if verdict is not None:
            self.audit(str(version.id), verdict)
        return number

    def audit(self, version: str, verdict: str, told: float = 0.0) -> None:
        """A finished audit of the version; `told` of the facts of each of its tickets are still told."""
        audit = str(uuid.uuid4())
        figures = {"forget": {"n": 8, "told_after": told}, "test": {"n": 8, "told_after": told}}
        with transaction(self.database.engine("audit")) as session:
            claim = audits.claim_audit(session, audit, version, lease_s=30)
            assert claim is not None
            covered = [ticket.id for ticket in erasers.covered_tickets(session, version)]
            audits.finish_audit(
                session,
                audit,
                claim.fence,
                status="succeeded",
                verdict=verdict,
                reasons=["as the test wants"],
                report={
                    "panels": {},
                    "integrity": {},
                    "not_run": [],
                    "claim": "",
                    "tickets": dict.fromkeys(covered, figures),
                },
            )

    def serve(self, generation: int, number: int, state: str = "serving", lease_s: float = 30.0) -> None:
        """A replica says what it serves."""
        with transaction(self.database.engine("inference")) as session:
            rollouts.acknowledge(
                session,
                "replica-0",
                MODEL,
                generation=generation,
                version_number=number,
                state=state,
                error=None,
                lease_s=lease_s,
            )


@pytest.fixture
def worker(people: People, database: Databases) -> Worker:
    """Workers and a replica of the model that `people` speak of."""
    return Worker(database)


@pytest.fixture
def listening() -> Iterator[Callable[[Any], str]]:
    """Puts an application on a port of the loopback address; its URL."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def serve(app: Any) -> str:
        listener = socket.create_server((LOOPBACK, 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://{LOOPBACK}:{listener.getsockname()[1]}"

    yield serve
    for server, thread in running:
        server.should_exit = True
        thread.join(timeout=10)
