"""The database of one test, opened under the role of each service."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import Connection, sql
from sqlalchemy import Dialect, Engine
from sqlalchemy.util import LRUCache

from shared.db.roles import service_url
from shared.db.session import make_engine

TEMPLATE = "lacuna_template"
STARTED_TEMPLATE = "lacuna_started_template"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108
ROOM = 4 << 30  # bytes that have to be free there

_dialects: list[Dialect] = []  # that of the first engine
_compiled: LRUCache[Any, Any] = LRUCache(2000)  # statements


@dataclass
class Databases:
    """One database with an engine for each service's role, and for the administrator (`admin`)."""

    admin_url: str
    passwords: dict[str, str]
    _engines: dict[str, Engine] = field(default_factory=dict)

    def url(self, service: str) -> str:
        """The database URL under the role of `service`."""
        return service_url(self.admin_url, service, self.passwords[service])

    def engine(self, service: str) -> Engine:
        """The engine under the role of `service`; made once. `admin` is the administrator."""
        if service not in self._engines:
            self._engines[service] = engine_like_others(self.admin_url if service == "admin" else self.url(service))
        return self._engines[service]

    def dispose(self) -> None:
        """Close all connections of all engines."""
        for engine in self._engines.values():
            engine.dispose()


def engine_like_others(url: str) -> Engine:
    """`make_engine`, which takes over what was compiled for the engines of other databases: a quarter of a test's time.

    A statement is compiled for a dialect, of which every engine has one of its own otherwise.
    """
    engine = make_engine(url)
    if not _dialects:
        engine.connect().close()  # it asks the server for its version
        _dialects.append(engine.dialect)
    engine.dialect = _dialects[0]
    engine.update_execution_options(compiled_cache=_compiled)
    return engine


def with_database(url: str, name: str) -> str:
    """Return `url` with the database `name` in place of its own."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@contextmanager
def empty_database(database: Databases, name: str) -> Iterator[str]:
    """The administrator's address of a new database beside the test's own, without a schema; dropped afterwards."""
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield with_database(database.admin_url, name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def hash_passwords_once(url: str) -> None:
    """Let passwords that the administrator sets be hashed once, not 4,096 times: every connection hashes them again."""
    address = urlsplit(url)
    user, password = sql.Identifier(str(address.username)), str(address.password)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER ROLE {} SET scram_iterations = 1").format(user))
        connection.execute("SET scram_iterations = 1")
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(user, password))


def copy_database(server: Connection, name: str, template: str) -> None:
    """Make the database `name` as a copy of `template`, to which nobody is connected."""
    names = (sql.Identifier(name), sql.Identifier(template))
    server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(*names))


def drop_database(server: Connection, name: str) -> None:
    """Remove the database `name`, whoever is connected to it."""
    server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def folder_in_memory() -> Path | None:
    """Where files live in memory, and programs can be run; None where there is no such folder with enough room.

    A database of a test is then made and dropped in a tenth of the time that it takes on a disk.
    """
    if not SHARED_MEMORY.is_dir() or os.statvfs(SHARED_MEMORY).f_flag & os.ST_NOEXEC:
        return None
    return SHARED_MEMORY if shutil.disk_usage(SHARED_MEMORY).free >= ROOM else None
