"""What is found in the raw files of PostgreSQL and of the S3 server after a shredding does not open a ticket any more.

An attacker holds the key-encryption key, everything that is left of the shredding keys, and every file: heap, write-
ahead log and volumes. The same attack on a ticket without a shredding key succeeds, so that it is one.
"""

import re
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.request.retention.compaction import Compactor
from services.request.retention.jobs import Shredder
from services.request.retention.service import Retention
from shared.artifacts.payloads import unpack_material
from shared.crypto.keyring import KeyRing
from shared.crypto.shredding_keys import SHRED_MARK, FolderKeys
from shared.db.models.tickets import Ticket
from shared.db.session import transaction
from shared.devstack.backends import Backends
from shared.errors import LacunaError
from shared.storage.s3 import S3Store
from tests.support.api import OpenService, People
from tests.support.databases import Databases

KEK = bytes(range(32))
NEAR = 300  # bytes of a row, or of its record in the write-ahead log, around the key of its object
OTHERS, OTHER_BYTES = 48, 8 << 20
WRAPPED = 40  # bytes of a data key under RFC 3394


@pytest.fixture(scope="module")
def bucket(backends: Backends) -> Iterator[S3Store]:
    """It holds so much else that a small object is next to nothing in its volume."""
    store = S3Store(backends.s3_endpoint, backends.s3_access_key, backends.s3_secret_key, "lacuna")
    for number in range(OTHERS):
        store.put(f"others/{number}", bytes(OTHER_BYTES))
    yield store
    store.close()


@pytest.fixture
def data(database: Databases) -> Path:
    """The folder of PostgreSQL's files; that of the S3 server is beside it."""
    with transaction(database.engine("admin")) as session:
        return Path(str(session.scalar(text("SHOW data_directory"))))


def database_files(database: Databases, data: Path) -> list[bytes]:
    """The files of this database and the write-ahead log, after everything was written to the disk and vacuumed."""
    with database.engine("admin").connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ticket"))
        connection.execute(text("CHECKPOINT"))
        oid = connection.execute(text("SELECT oid FROM pg_database WHERE datname = current_database()")).scalar_one()
    folders = (data / "base" / str(oid), data / "pg_wal")
    return [path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]


def volume_files(data: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((data.parent / "s3").rglob("*")) if path.is_file()]


def found_keys(files: Iterable[bytes], object_key: str) -> set[bytes]:
    """Whatever near the object's key could be a wrapped key: each window of the length of one, and each shreddable."""
    windows: set[bytes] = set()
    for content in files:
        for match in re.finditer(re.escape(object_key.encode()), content):
            near = content[max(0, match.start() - NEAR) : match.end() + NEAR]
            windows.update(near[at : at + WRAPPED] for at in range(len(near) - WRAPPED + 1))
            for mark in re.finditer(re.escape(SHRED_MARK), near):
                windows.update(near[mark.start() : mark.start() + length] for length in range(71, 120))
    return windows


def opened(ring: KeyRing, keys: Iterable[bytes], blob: bytes, object_key: str) -> bytes | None:
    """The material, where one of the `keys` opens it."""
    for key in keys:
        try:
            return ring.open(blob, key, object_key)
        except LacunaError:
            continue
    return None


def ticket_of(people: People, ticket: str) -> Ticket:
    with transaction(people.context.database) as session:
        return session.get_one(Ticket, ticket)


@pytest.mark.parametrize("with_shredding_keys", [False, True])
def test_raw_files_do_not_open_a_shredded_ticket(
    open_service: OpenService,
    bucket: S3Store,
    database: Databases,
    data: Path,
    backends: Backends,
    tmp_path: Path,
    ticket_body: dict[str, Any],
    with_shredding_keys: bool,
) -> None:
    shredding = FolderKeys(tmp_path / "shredding-keys")
    shredding.set_up()
    ring = KeyRing(KEK, shredding=shredding if with_shredding_keys else None)
    people = open_service(bucket, ring)
    ticket = str(people["olivia"].post("/v1/tickets", ticket_body).json()["id"])
    before = ticket_of(people, ticket)
    blob = bucket.get(before.payload_key)
    attacker = KeyRing(KEK, shredding=shredding)
    found = found_keys(database_files(database, data), before.payload_key)
    assert before.payload_wrapped_key in found
    material = opened(attacker, found, blob, before.payload_key)
    assert unpack_material(material or b"").names == ["Mara Lindqvist"]

    people["adam"].post(f"/v1/tickets/{ticket}/reject", {"code": "no_match", "note": "-"})
    Shredder(people.control, Retention(timedelta(0))).run()
    assert people["olivia"].get(f"/v1/tickets/{ticket}").json()["disposals"][0]["removed_at"] is not None

    found = found_keys(database_files(database, data), before.payload_key)
    assert before.payload_wrapped_key in found  # it still stands in the heap or in the write-ahead log
    assert any(blob[40:104] in content for content in volume_files(data))  # and so does the ciphertext
    material = opened(attacker, found, blob, before.payload_key)
    assert (material is None) is with_shredding_keys
    if with_shredding_keys:
        assert [path.name for path in (tmp_path / "shredding-keys").iterdir()] == ["identity"]

    compactor = Compactor(people.control.database, backends.s3_compact, settled_s=4.0, at_most_every_s=4.0)
    while (wait_s := compactor.run()) is not None:
        time.sleep(wait_s)
    assert not any(blob[40:104] in content for content in volume_files(data))
