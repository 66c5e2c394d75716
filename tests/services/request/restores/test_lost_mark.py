"""A high-water mark that is missing, or an older one, refuses as an old database does, until two people accept it."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from services.request.restores.jobs import HighWaterMarkJob, raise_high_water_mark
from shared.artifacts import high_water_mark
from shared.artifacts.high_water_mark import NO_MARK, HighWaterMark
from shared.crypto.keyring import KeyRing
from shared.db.session import transaction
from shared.errors import StaleRestore
from shared.storage.local import LocalStore
from tests.support.api import MODEL, People
from tests.support.databases import Databases

MARK = f"highwater/{MODEL}"
COMPANIONS = f"highwater-companions/{MODEL}/"
WHY = {"reason": "The mark was deleted by mistake; the database is the newest."}


@pytest.fixture
def raise_mark(people: People, store: LocalStore, keys: KeyRing) -> Callable[..., HighWaterMark]:
    """The first job of a control loop that has just started, or knows what it last wrote."""

    def run(known: HighWaterMark | None = None) -> HighWaterMark:
        with transaction(people.context.database) as session:
            return raise_high_water_mark(session, store, keys, MODEL, known)

    return run


def set_generation(database: Databases, generation: int) -> None:
    """What a database at `generation` looks like, whose newest version is one below it."""
    with transaction(database.engine("admin")) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("DELETE FROM desired_state"))
        session.execute(text("DELETE FROM eraser_version"))
        for number in range(generation):
            session.execute(
                text(
                    "INSERT INTO eraser_version (id, model_id, number, run_id, recipe, object_key, sha256, size_bytes,"
                    " manifest, envelope, wrapped_key, created_at) VALUES (gen_random_uuid(), :model, :number,"
                    " gen_random_uuid(), 'lacuna', 'e', '', 1, '{}', '{}', '', now())"
                ),
                {"model": MODEL, "number": number},
            )
        session.execute(
            text(
                "INSERT INTO desired_state (model_id, generation, version_id, changed_by, changed_at)"
                " SELECT :model, :generation, id, 'oscar', now() FROM eraser_version WHERE number = :newest"
            ),
            {"model": MODEL, "generation": generation, "newest": generation - 1},
        )


def accept(people: People) -> None:
    asked = people["rosa"].post("/v1/restores", WHY)
    assert asked.status_code == 202, asked.text
    confirmed = people["viktor"].post(f"/v1/restores/{asked.json()['id']}/confirm")
    assert confirmed.status_code == 200, confirmed.text


def leaves(database: Databases) -> list[str]:
    with transaction(database.engine("admin")) as session:
        return list(session.scalars(text("SELECT kind FROM log_leaf ORDER BY id")))


def test_first_start_writes_the_first_mark(raise_mark: Callable[..., HighWaterMark], store: LocalStore) -> None:
    mark = raise_mark()
    assert (mark.generation, mark.version, mark.epoch) == (0, -1, 0)
    assert list(store.list(COMPANIONS)) == [f"{COMPANIONS}000000-0000000000-00000000"]


def test_each_generation_and_version_leaves_a_companion_that_is_never_replaced(
    raise_mark: Callable[..., HighWaterMark], store: LocalStore, database: Databases
) -> None:
    raise_mark()
    set_generation(database, 1)
    known = raise_mark()
    (first, second) = store.list(COMPANIONS)
    before = store.get(second)
    assert raise_mark(known) == known
    assert list(store.list(COMPANIONS)) == [first, second]
    assert store.get(second) == before


def test_missing_mark_is_refused_and_accepted_once(
    people: People, raise_mark: Callable[..., HighWaterMark], store: LocalStore, keys: KeyRing, database: Databases
) -> None:
    raise_mark()
    set_generation(database, 2)
    raise_mark()

    def delete_everything() -> None:
        store.delete(MARK)
        for key in list(store.list(COMPANIONS)):
            store.delete(key)

    delete_everything()
    with pytest.raises(StaleRestore, match="mark is missing"):
        raise_mark()
    assert "mark is missing" in people["ada"].get("/v1/status").json()["stale"]
    accept(people)
    mark = raise_mark()
    assert (mark.generation, mark.epoch) == (2, 1)
    assert leaves(database)[-3:] == ["restore.asked", "restore.accepted", "restore.used"]
    assert people["ada"].get("/v1/status").json()["stale"] is None
    delete_everything()
    with pytest.raises(StaleRestore, match="mark is missing"):
        raise_mark()


def test_missing_mark_is_refused_before_anything_was_published_where_companions_stand(
    raise_mark: Callable[..., HighWaterMark], store: LocalStore, database: Databases
) -> None:
    """The database of before the first publication, and the mark deleted."""
    set_generation(database, 1)
    high_water_mark.write(store, KeyRing(bytes(range(32))), MODEL, HighWaterMark(1, 0, 0))
    set_generation(database, 0)
    store.delete(MARK)
    with pytest.raises(StaleRestore, match="mark is missing"):
        raise_mark()


def test_older_mark_beside_an_older_database_is_refused(
    people: People, raise_mark: Callable[..., HighWaterMark], store: LocalStore, keys: KeyRing, database: Databases
) -> None:
    set_generation(database, 1)
    high_water_mark.write(store, keys, MODEL, NO_MARK)
    raise_mark()
    older = store.get(MARK)
    set_generation(database, 3)
    raise_mark()
    set_generation(database, 1)
    store.put(MARK, older)
    with pytest.raises(StaleRestore, match=r"generation 1 \(it was 3\), newest version 0 \(it was 2\)"):
        raise_mark()
    set_generation(database, 3)  # the newest database is refused too, for its mark proves nothing any more
    with pytest.raises(StaleRestore, match="replaced by an older one: generation 1"):
        raise_mark()
    accept(people)
    assert raise_mark().epoch == 1
    store.put(MARK, older)
    with pytest.raises(StaleRestore, match=r"replaced by an older one: epoch 0 \(it was 1\)"):
        raise_mark()


def test_control_loop_puts_back_what_it_remembers(
    people: People, raise_mark: Callable[..., HighWaterMark], store: LocalStore, keys: KeyRing, database: Databases
) -> None:
    """Store and database go back together while it runs: it finds the old database all the same."""
    set_generation(database, 1)
    high_water_mark.write(store, keys, MODEL, NO_MARK)
    raise_mark()
    yesterday = {key: store.get(key) for key in store.list("highwater")}
    set_generation(database, 2)
    known = raise_mark()
    for key in list(store.list("highwater")):
        store.delete(key)
    for key, content in yesterday.items():
        store.put(key, content)
    set_generation(database, 1)
    with pytest.raises(StaleRestore, match=r"generation 1 \(it was 2\)"):
        raise_mark(known)
    assert "generation 1" in people["ada"].get("/v1/status").json()["stale"]
    set_generation(database, 2)
    store.delete(MARK)
    raise_mark(known)
    assert leaves(database)[-1] == "high_water_mark.put_back"


def test_idle_control_loop_looks_at_the_mark_now_and_then(
    people: People, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = HighWaterMarkJob(people.context)
    job.run()
    store.delete(MARK)
    job.run()
    assert not store.exists(MARK)
    job._looked_at -= 61
    job.run()
    assert store.exists(MARK)


def test_altered_companion_is_refused(
    raise_mark: Callable[..., HighWaterMark], store: LocalStore, keys: KeyRing
) -> None:
    raise_mark()
    (companion,) = store.list(COMPANIONS)
    store.put(companion.replace("0000000000-", "0000000009-"), store.get(companion))
    with pytest.raises(Exception, match=r"companion .* was altered"):
        raise_mark()


def test_database_and_store_of_yesterday_pass_where_nobody_remembers(
    raise_mark: Callable[..., HighWaterMark], store: LocalStore, keys: KeyRing, database: Databases
) -> None:
    """What remains: no process remembers more. The threat model names the witnesses outside."""
    set_generation(database, 1)
    high_water_mark.write(store, keys, MODEL, NO_MARK)
    raise_mark()
    yesterday = {key: store.get(key) for key in store.list("highwater")}
    set_generation(database, 2)
    raise_mark()
    for key in list(store.list("highwater")):
        store.delete(key)
    for key, content in yesterday.items():
        store.put(key, content)
    set_generation(database, 1)
    assert raise_mark().generation == 1
