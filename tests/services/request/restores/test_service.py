"""A database from an old backup is refused until two people accept it; the abandoned past stays as evidence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from services.cli.main import app
from services.request.app import build
from services.request.audit_log.sequencer import Sequencer
from services.request.restores import jobs as restores_jobs
from shared.artifacts import high_water_mark
from shared.artifacts.high_water_mark import HighWaterMark
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.errors import Conflict, IntegrityFailure, StaleRestore
from shared.storage.local import LocalStore
from shared.storage.object_keys import ABANDONED, NEWEST_CHECKPOINT, checkpoint_key
from shared.transparency import checkpoints
from shared.transparency.checkpoints import Checkpoint, PublicKey
from shared.transparency.media_types import LOG_NAME
from tests.support.api import MODEL, People
from tests.support.databases import Databases

SIGNER = Signer(bytes(range(1, 33)))
KEY = PublicKey(LOG_NAME, SIGNER.public)
WHY = {"reason": "The newer backups burned."}


@pytest.fixture
def sequencer(database: Databases, store: LocalStore) -> Sequencer:
    return Sequencer(database.engine("control"), store, SIGNER, [KEY], LOG_NAME)


def size_of(sequencer: Sequencer) -> int:
    """The size of the first checkpoint: the set-up and one ticket."""
    return checkpoints.read(sequencer.store.get(checkpoint_key(2)).decode(), [KEY]).size


@pytest.fixture
def raise_mark(people: People, store: LocalStore, keys: KeyRing) -> Callable[[], HighWaterMark]:
    """The first job of the control loop: raise the high-water mark."""

    def run() -> HighWaterMark:
        with transaction(people.context.database) as session:
            return restores_jobs.raise_high_water_mark(session, store, keys, MODEL, None, SIGNER)

    return run


@pytest.fixture
def old_database(
    people: People, store: LocalStore, keys: KeyRing, sequencer: Sequencer, raise_mark: Callable[[], HighWaterMark]
) -> None:
    """A database that is older than its object store: the mark is above it, and checkpoints were signed since."""
    with transaction(people.context.database) as session:
        audit_log.append_leaf(session, "olivia", "ticket.received", "T-1", {})
    sequencer.run_once()
    now = raise_mark()
    high_water_mark.write(
        store, keys, MODEL, HighWaterMark(now.generation + 2, now.version + 2, now.log_size + 50), SIGNER
    )
    for size in (size_of(sequencer) + 1, size_of(sequencer) + 40):
        lost = checkpoints.sign(Checkpoint(LOG_NAME, size, bytes(32)), SIGNER).encode()
        store.put(checkpoint_key(size), lost)
        store.put(NEWEST_CHECKPOINT, lost)


def test_old_database_is_refused_until_two_people_accept_it(
    people: People,
    old_database: None,
    raise_mark: Callable[[], HighWaterMark],
    store: LocalStore,
    keys: KeyRing,
    sequencer: Sequencer,
    database: Databases,
) -> None:
    with pytest.raises(StaleRestore):
        raise_mark()
    lost = store.get(NEWEST_CHECKPOINT)
    assert people["olivia"].post("/v1/restores", WHY).status_code == 403
    asked = people["rosa"].post("/v1/restores", WHY)
    assert (asked.status_code, asked.json()["state"]) == (202, "asked"), asked.text
    path = f"/v1/restores/{asked.json()['id']}"
    with pytest.raises(StaleRestore):
        raise_mark()
    with pytest.raises(IntegrityFailure, match="older than the object store"):
        sequencer.run_once()
    assert people["rosa"].post(f"{path}/confirm").status_code == 403
    assert people["viktor"].post(f"{path}/confirm").json()["state"] == "accepted"
    assert people["viktor"].post(f"{path}/confirm").status_code == 409
    now = raise_mark()
    assert high_water_mark.read(store, keys, MODEL).mark == now
    assert people["ada"].get("/v1/status").json()["stale"] is None
    assert sequencer.run_once() > 0
    newest = checkpoints.read(store.get(NEWEST_CHECKPOINT).decode(), [KEY])
    with transaction(database.engine("admin")) as session:
        kinds = list(session.scalars(text("SELECT kind FROM log_leaf WHERE kind LIKE 'restore.%' ORDER BY id")))
        assert session.scalar(text("SELECT root FROM log_checkpoint ORDER BY size DESC LIMIT 1")) == newest.root
    assert kinds == ["restore.asked", "restore.accepted", "restore.used"]
    assert lost in [store.get(key) for key in store.list(ABANDONED)]
    assert len(list(store.list(ABANDONED))) == 3
    assert people["rosa"].post("/v1/restores", WHY).status_code == 409


def test_acceptance_holds_once_and_for_one_mark(
    people: People,
    old_database: None,
    raise_mark: Callable[[], HighWaterMark],
    store: LocalStore,
    keys: KeyRing,
    sequencer: Sequencer,
) -> None:
    path = f"/v1/restores/{people['rosa'].post('/v1/restores', WHY).json()['id']}"
    mark = high_water_mark.read(store, keys, MODEL).highest()
    high_water_mark.write(store, keys, MODEL, mark, SIGNER)  # the same numbers at another time
    assert people["viktor"].post(f"{path}/confirm").status_code == 409
    two = f"/v1/restores/{people['rosa'].post('/v1/restores', WHY).json()['id']}"
    assert people["viktor"].post(f"{two}/confirm").status_code == 200
    raise_mark()
    high_water_mark.write(store, keys, MODEL, mark, SIGNER)
    with pytest.raises(StaleRestore):
        raise_mark()


def test_mark_is_verified_with_public_keys_alone(
    people: People,
    raise_mark: Callable[[], HighWaterMark],
    store: LocalStore,
    keys: KeyRing,
    listening: Callable[[Any], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    raise_mark()
    monkeypatch.setenv("LACUNA_URL", listening(build(people.context)))
    monkeypatch.setenv("LACUNA_KEY", people.keys["ada"])

    def run(*arguments: str) -> str:
        return CliRunner().invoke(app, list(arguments), catch_exceptions=False).output

    (tmp_path / "m").write_text(run("restore", "list"))
    for words in (
        ("verify", "mark", "--key", KEY.line()),
        ("verify", "mark", str(tmp_path / "m"), "--key", KEY.line()),
    ):
        assert "holds: generation" in run(*words)
    given = json.loads((tmp_path / "m").read_text())["mark"]
    with pytest.raises(IntegrityFailure, match="altered"):
        high_water_mark.check_signature(
            given | {"mark": given["mark"].replace('"version": -1', '"version": -2')}, [KEY.raw]
        )
    with pytest.raises(IntegrityFailure):
        high_water_mark.check_signature(given, [Signer(bytes(range(2, 34))).public])
    with pytest.raises(IntegrityFailure):
        high_water_mark.check_signature(given | {"signature": None}, [KEY.raw])


def test_confirmation_by_the_same_name_in_another_spelling_is_refused(
    people: People, old_database: None, database: Databases
) -> None:
    people["rosa"].post("/v1/restores", WHY)
    confirm = text("UPDATE restore_acceptance SET confirmed_by = :n, confirmed_at = now()")
    for other in ("Rosa ", "ROSA", "rosa", "r\u043esa", "ro\u200bsa", "clerk"):
        with pytest.raises(Conflict, match="a second person"), transaction(database.engine("request")) as session:
            session.execute(confirm, {"n": other})
    with transaction(database.engine("request")) as session:
        session.execute(confirm, {"n": "viktor"})
    with pytest.raises(Exception, match="confirmed once"), transaction(database.engine("request")) as session:
        session.execute(text("UPDATE restore_acceptance SET confirmed_by = 'olivia'"))
