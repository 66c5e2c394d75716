"""Key rotation: every data key is wrapped anew, the job can be resumed, and what was shredded stays shredded."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from services.cli.main import app
from services.request.app import build
from services.request.key_rotation import jobs
from services.request.key_rotation.jobs import RewrapJob
from services.request.retention import service as retention_service
from shared.core.config import Settings
from shared.crypto.keyring import KeyRing
from shared.crypto.shredding_keys import FolderKeys
from shared.db.models.erasers import EraserVersion
from shared.db.models.tickets import Ticket
from shared.db.session import transaction
from shared.errors import BadInput, IntegrityFailure, KeysUnavailable
from shared.storage.local import LocalStore
from shared.storage.object_keys import payload_key
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.workers import Worker

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


@pytest.fixture
def rotated(shredding_folder: Path) -> KeyRing:
    """The key ring of a process that has the new key."""
    return KeyRing(NEW, old=[OLD], index=OLD, shredding=FolderKeys(shredding_folder))


@pytest.fixture
def tickets(people: People, worker: Worker, ticket_body: dict[str, Any], database: Databases) -> list[str]:
    """Three, and a version that covers the first, and a webhook."""
    ids = []
    for number in range(3):
        body = ticket_body | {"names": [f"Mara {number}"], "external_ref": None}
        ids.append(str(people["olivia"].post("/v1/tickets", body).json()["id"]))
    people["adam"].post(f"/v1/tickets/{ids[0]}/approve", {"ground": "consent_withdrawn", "names": ["Mara 0"]})
    worker.publish(ids[0])
    with transaction(database.engine("admin")) as session:
        wrapped = KeyRing(OLD).seal(b"rows", "erasers/0").wrapped_key
        session.execute(text("UPDATE eraser_version SET wrapped_key = :w"), {"w": wrapped})
    hook = {"url": "https://hooks.example.org/x", "events": ["*"]}
    assert people["rosa"].post("/v1/webhooks", hook).status_code == 201
    return ids


@pytest.fixture
def rewrapper(database: Databases, store: LocalStore, rotated: KeyRing) -> RewrapJob:
    return RewrapJob(database.engine("control"), store, rotated)


def to_the_end(rewrapper: RewrapJob) -> int:
    turns = 0
    while rewrapper.run_once():
        turns += 1
    return turns


def opened(database: Databases, store: LocalStore, ring: KeyRing, ticket: str) -> bytes:
    with transaction(database.engine("request")) as session:
        row = session.get_one(Ticket, ticket)
        assert row.payload_wrapped_key is not None
        return ring.open(store.get(row.payload_key), row.payload_wrapped_key, row.payload_key)


def test_rotation_rewraps_every_key_and_frees_the_old_one(
    people: People,
    tickets: list[str],
    rewrapper: RewrapJob,
    database: Databases,
    store: LocalStore,
    keys: KeyRing,
    shredding_folder: Path,
) -> None:
    before = {key: store.get(key) for key in store.list("payloads/")}
    assert people["olivia"].post("/v1/rewraps").status_code == 403
    ordered = people["rosa"].post("/v1/rewraps")
    assert (ordered.status_code, ordered.json()["state"]) == (202, "waiting")
    assert people["viktor"].post("/v1/rewraps").status_code == 409
    to_the_end(rewrapper)
    rotation = people["ada"].get(f"/v1/rewraps/{ordered.json()['id']}").json()
    old, new = ring_name(KeyRing(OLD)), ring_name(KeyRing(NEW))
    assert (rotation["state"], rotation["key"], rotation["no_longer_used"]) == ("finished", new, [old])
    assert rotation["in_use"] == {new: rotation["total"]}
    assert rotation["before"] == {old: rotation["total"]}
    assert (rotation["rewrapped"], rotation["unreadable"], rotation["passes"]) == (rotation["total"], [], 2)
    alone = KeyRing(NEW, index=OLD, shredding=FolderKeys(shredding_folder))
    for ticket in tickets:
        assert b"Mara" in opened(database, store, alone, ticket)
        with pytest.raises(IntegrityFailure):
            opened(database, store, keys, ticket)
    assert {key: store.get(key) for key in store.list("payloads/")} == before
    with transaction(database.engine("admin")) as session:
        [version] = session.query(EraserVersion).all()
        assert alone.wrapping_key_name(version.wrapped_key) == new
        kinds = list(session.scalars(text("SELECT kind FROM log_leaf WHERE kind LIKE 'keys.%' ORDER BY id")))
    assert kinds == ["keys.rewrap_ordered", "keys.rewrapped"]
    assert alone.blind_index("mara 0") == KeyRing(OLD).blind_index("Mara 0")


def ring_name(ring: KeyRing) -> str:
    return ring.current_wrapping_key()


def test_interrupted_rotation_goes_on_where_it_was(
    people: People,
    tickets: list[str],
    database: Databases,
    store: LocalStore,
    monkeypatch: pytest.MonkeyPatch,
    rotated: KeyRing,
    shredding_folder: Path,
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 1)
    people["rosa"].post("/v1/rewraps")

    class Away(KeyRing):
        left = 2

        def rewrap(self, wrapped_key: bytes) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise KeysUnavailable("away")
            return super().rewrap(wrapped_key)

    away = Away(NEW, old=[OLD], index=OLD, shredding=FolderKeys(shredding_folder))
    flaky = RewrapJob(database.engine("control"), store, away)
    with pytest.raises(KeysUnavailable):
        to_the_end(flaky)
    done = people["rosa"].get("/v1/rewraps").json()["items"][0]
    assert (done["rewrapped"], done["done"], done["state"]) == (2, 2, "running")
    to_the_end(RewrapJob(database.engine("control"), store, rotated))  # another process
    rotation = people["rosa"].get("/v1/rewraps").json()["items"][0]
    assert (rotation["state"], rotation["rewrapped"]) == ("finished", rotation["total"])


def test_destroyed_key_stays_destroyed_and_unreadable_key_is_named(
    people: People, tickets: list[str], database: Databases, store: LocalStore, shredding_folder: Path
) -> None:
    people["adam"].post(f"/v1/tickets/{tickets[1]}/withdraw", {"note": "no"})
    with transaction(database.engine("admin")) as session:
        session.execute(text("ALTER TABLE ticket DISABLE TRIGGER guard_keys"))  # which refuses such a key
        session.execute(
            text("UPDATE ticket SET payload_wrapped_key = :w WHERE id = :t"), {"w": bytes(40), "t": tickets[2]}
        )

    class Slow(KeyRing):
        """While it wraps, somebody shreds."""

        def rewrap(self, wrapped_key: bytes) -> bytes:
            with transaction(database.engine("request")) as session:
                retention_service.shred_key(session, store, people.context.keys, tickets[1], "payload")
            return super().rewrap(wrapped_key)

    people["rosa"].post("/v1/rewraps")
    slow = Slow(NEW, old=[OLD], index=OLD, shredding=FolderKeys(shredding_folder))
    to_the_end(RewrapJob(database.engine("control"), store, slow))
    rotation = people["rosa"].get("/v1/rewraps").json()["items"][0]
    assert rotation["unreadable"] == [f"ticket/{tickets[2]}"]
    with transaction(database.engine("request")) as session:
        assert session.get_one(Ticket, tickets[1]).payload_wrapped_key is None
    for statement in (
        "UPDATE eraser_version SET recipe = 'x'",
        "UPDATE eraser_version SET sha256 = 'x', wrapped_key = '\\x00'",
        "DELETE FROM eraser_version",
    ):
        with pytest.raises(Exception, match="append-only"), transaction(database.engine("admin")) as session:
            session.execute(text(statement))
    with pytest.raises(Exception, match="permission denied"), transaction(database.engine("request")) as session:
        session.execute(text("UPDATE eraser_version SET recipe = 'x'"))


def test_old_key_without_index_key_is_refused_and_command_reports_rotation(
    people: People, tickets: list[str], database: Databases, store: LocalStore, listening: Callable[[Any], str],
    monkeypatch: pytest.MonkeyPatch, shredding_folder: Path,
) -> None:  # fmt: skip
    text_old, text_new = (base64.b64encode(key).decode() for key in (OLD, NEW))
    with pytest.raises(BadInput, match="LACUNA_INDEX_KEY"):
        KeyRing.from_settings(Settings(kek=text_new, old_keks=text_old))
    folder = str(shredding_folder)
    settings = Settings(kek=text_new, old_keks=f"{text_old}, ", index_key=text_old, shredding_keys=folder)
    ring = KeyRing.from_settings(settings)
    assert (ring.current_wrapping_key(), ring.secret("x")) == (ring_name(KeyRing(NEW)), KeyRing(OLD).secret("x"))
    monkeypatch.setenv("LACUNA_URL", listening(build(people.context)))
    monkeypatch.setenv("LACUNA_KEY", people.keys["rosa"])

    def run(*arguments: str) -> str:
        return " ".join(CliRunner().invoke(app, ["key-rotation", *arguments], catch_exceptions=False).output.split())

    assert "is waiting" in run("rewrap", "--no-wait")
    to_the_end(RewrapJob(database.engine("control"), store, ring))
    assert f"No longer used: {ring_name(KeyRing(OLD))}." in run("status")
    assert payload_key("default", tickets[0]) not in run("status")
