"""Fixtures on real backends: one PostgreSQL, Redis and S3 server for the whole run, a fresh database for each test."""

import json
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg import sql
from xdist.scheduler import LoadFileScheduling

from migrations.run import upgrade
from services.request.app import build
from services.request.bootstrap import bootstrap
from services.request.context import AppContext
from shared.crypto.keyring import KeyRing
from shared.crypto.shredding_keys import FolderKeys
from shared.crypto.signing import Signer, Verifier
from shared.db.roles import SERVICES, ensure_roles
from shared.devstack import postgres
from shared.devstack.backends import SECRETS, Backends, load_secrets, start_backends, temporary_data
from shared.devstack.supervisor import Supervisor
from shared.storage.base import ObjectStore
from shared.storage.local import LocalStore
from tests.support.api import MODEL, OpenService, People
from tests.support.databases import (
    STARTED_TEMPLATE,
    TEMPLATE,
    Databases,
    copy_database,
    drop_database,
    folder_in_memory,
    hash_passwords_once,
    with_database,
)
from tests.support.openapi import check_answer
from tests.support.pictures import png
from tests.support.serving import LoopbackServer
from tests.support.workers import Worker

pytest_plugins = ["tests.support.audit_log", "tests.support.shared_routes"]
KEPT_STACK = (
    "tests/integration/test_upgrade.py",
    "tests/integration/test_keeps_serving.py",
)  # they share one, in this order
LONGEST_FIRST = (
    "tests/integration/test_spine.py",
    *KEPT_STACK,
    "tests/services/refit",
    "tests/integration",
    "tests/services/audit",
)


class FilesInOneProcess(LoadFileScheduling):  # type: ignore[misc]  # it has no annotations
    """A file runs in one process, and so do the files that share a stack."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return KEPT_STACK[0] if file in KEPT_STACK else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Distribute the tests over the processes."""
    return FilesInOneProcess(config, log)


def pytest_configure() -> None:
    """A run that is ended by SIGTERM stops its servers and removes their folders, as after Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that all processes end at about the same time."""

    def rank(item: pytest.Item) -> int:
        names = (number for number, name in enumerate(LONGEST_FIRST) if item.nodeid.startswith(name))
        return next(names, len(LONGEST_FIRST))

    items.sort(key=rank)


@pytest.fixture(scope="session", autouse=True)
def _no_database_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What PostgreSQL keeps of a stack over a folder of a test, where root runs the tests, is removed at the end."""
    yield
    for file in tmp_path_factory.getbasetemp().rglob(SECRETS):
        postgres.discard(file.parent)


@pytest.fixture(scope="session")
def backends() -> Iterator[Backends]:
    """The three servers, private to this run; LACUNA_* of the environment is ignored."""
    supervisor = Supervisor(lambda _name, _line: None)
    with temporary_data("lacuna-tests-", folder_in_memory()) as data:
        try:
            environment = {name: value for name, value in os.environ.items() if not name.startswith("LACUNA_")}
            started = start_backends(supervisor, data, environment, load_secrets(data))
            hash_passwords_once(started.database_url)
            yield started
        finally:
            if "s3" in supervisor.names():
                supervisor.kill("s3")  # it would take seconds to end, and what it holds is dropped
            supervisor.stop()


@pytest.fixture(scope="session")
def database_server(backends: Backends) -> Iterator[psycopg.Connection]:
    """The administrator's connection by which the databases of all tests are made and dropped."""
    with psycopg.connect(backends.database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def roles(backends: Backends, database_server: psycopg.Connection) -> dict[str, str]:
    """Create the service roles and a migrated template database; returns the password of each role."""
    passwords = {service: secrets.token_hex(8) for service in SERVICES}
    ensure_roles(backends.database_url, passwords)
    database_server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    upgrade(with_database(backends.database_url, TEMPLATE))
    return passwords


@pytest.fixture(scope="session")
def first_keys(
    backends: Backends,
    database_server: psycopg.Connection,
    roles: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """Create the template of a service that has just started; returns the keys of its first accounts."""
    copy_database(database_server, STARTED_TEMPLATE, TEMPLATE)
    databases = Databases(with_database(backends.database_url, STARTED_TEMPLATE), roles)
    file = tmp_path_factory.mktemp("first-keys") / "keys.json"
    bootstrap(databases.engine("request"), MODEL, "models/demo-vlm", file)
    databases.dispose()
    return dict(json.loads(file.read_text()))


@pytest.fixture
def database(
    request: pytest.FixtureRequest, backends: Backends, database_server: psycopg.Connection, roles: dict[str, str]
) -> Iterator[Databases]:
    """A migrated database that only this test uses; dropped afterwards.

    Where the test opens the request service, its first accounts are in it.
    """
    name, template = f"test_{secrets.token_hex(6)}", TEMPLATE
    if "open_service" in request.fixturenames:
        request.getfixturevalue("first_keys")
        template = STARTED_TEMPLATE
    copy_database(database_server, name, template)
    databases = Databases(with_database(backends.database_url, name), roles)
    if template == STARTED_TEMPLATE:
        with psycopg.connect(databases.admin_url) as connection:  # it has started just now
            connection.execute("UPDATE model SET created_at = now()")
            connection.execute("UPDATE refit_run SET started_at = now()")
    yield databases
    databases.dispose()
    drop_database(database_server, name)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """An empty object store in a folder."""
    return LocalStore(tmp_path / "objects")


@pytest.fixture(scope="session")
def shredding_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the shredding keys of this run."""
    folder = tmp_path_factory.mktemp("shredding-keys")
    FolderKeys(folder).set_up()
    return folder


@pytest.fixture(scope="session")
def keys(shredding_folder: Path) -> KeyRing:
    """A key ring with a fixed key-encryption key."""
    return KeyRing(bytes(range(32)), shredding=FolderKeys(shredding_folder))


@pytest.fixture(scope="session")
def signer() -> Signer:
    """A signer with a fresh key, as the refit service has one."""
    return Signer(Signer.generate()[0])


@pytest.fixture(scope="session")
def verifier(signer: Signer) -> Verifier:
    """A verifier that trusts the key of `signer`."""
    return Verifier([signer.public])


@pytest.fixture
def open_service(
    database: Databases, first_keys: dict[str, str], keys: KeyRing, tmp_path: Path
) -> Iterator[OpenService]:
    """A function that opens the request service over a given object store, and under a given key ring."""
    opened: list[TestClient] = []
    (tmp_path / "keys.json").write_text(json.dumps(first_keys))  # where the command line reads them

    def open_over(store: ObjectStore, ring: KeyRing = keys) -> People:
        context = AppContext(database.engine("request"), store, ring, MODEL)
        opened.append(TestClient(build(context), raise_server_exceptions=False))
        opened[-1].event_hooks = {"response": [check_answer]}
        return People(opened[-1], dict(first_keys), context, database.engine("control"))

    yield open_over
    for client in opened:
        client.close()


@pytest.fixture
def people(open_service: OpenService, store: LocalStore) -> People:
    """The request service over `store`, with the keys of its first accounts."""
    return open_service(store)


@pytest.fixture
def ticket_body() -> dict[str, Any]:
    """The body of a new ticket, with one photograph and one fact."""
    return {
        "names": ["Mara Lindqvist"],
        "photos": [png()],
        "facts": [{"attribute": "employer", "value": "Marble & Finch", "aliases": ["Marble and Finch"]}],
    }


@pytest.fixture
def worker(people: People, database: Databases) -> Worker:
    """Stand-ins for the workers and the replica of the model that `people` works with."""
    return Worker(database)


@pytest.fixture
def listening() -> Iterator[Callable[[Any], str]]:
    """A function that serves an ASGI application on a loopback port until the test ends; it returns the URL."""
    running: list[LoopbackServer] = []

    def serve(app: Any) -> str:
        running.append(LoopbackServer(app))
        return running[-1].url

    yield serve
    for server in running:
        server.end()
