"""The active eraser and the watcher fail closed: what cannot be trusted is not served, and no ticket is exposed."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import text

from services.inference.active_eraser import ActiveEraser, Served
from services.inference.app import grace_of
from shared.artifacts import high_water_mark
from shared.artifacts.high_water_mark import HighWaterMark
from shared.core import metrics
from shared.core.config import Settings
from shared.db.repositories import rollouts
from shared.db.session import transaction
from shared.erasure.eraser import Eraser
from shared.errors import NotReady, StoreUnavailable, Unavailable
from tests.services.inference.conftest import Replica


def acknowledged(replica: Replica) -> tuple[str, int | None, str | None]:
    with transaction(replica.worker.database.engine("admin")) as session:
        row = session.execute(text("SELECT state, version_number, error FROM replica")).one()
    return (row[0], row[1], row[2])


def lease_holds(replica: Replica) -> bool:
    with transaction(replica.worker.database.engine("admin")) as session:
        return bool(session.scalar(text("SELECT lease_until > clock_timestamp() FROM replica")))


def wait_until(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not done():
        assert time.monotonic() < until
        time.sleep(0.02)


def alter(replica: Replica, key: str) -> None:
    blob = bytearray(replica.watcher.store.get(key))
    blob[-1] ^= 1
    replica.watcher.store.put(key, bytes(blob))


def swaps() -> dict[str, float]:
    return {name: float(metrics.SWAPS.labels(name)._value.get()) for name in ("served", "failed", "closed")}


def test_swaps_are_counted_and_the_version_in_use_is_shown(replica: Replica, erasers: dict[str, Eraser]) -> None:
    before = swaps()
    rollouts = sum(bucket.get() for bucket in metrics.ROLLOUT_SECONDS._buckets)
    replica.publish(erasers["empty"])
    replica.watcher.look()
    replica.watcher.look()  # nothing new
    assert swaps() == before | {"served": before["served"] + 1}
    assert sum(bucket.get() for bucket in metrics.ROLLOUT_SECONDS._buckets) == rollouts + 1
    alter(replica, replica.publish(erasers["one"]))
    replica.watcher.look()
    assert swaps()["failed"] == before["failed"] + 1
    assert (metrics.VERSION._value.get(), metrics.GENERATION._value.get()) == (0, 1)


def test_replica_without_a_promoted_version_refuses(replica: Replica) -> None:
    replica.watcher.look()
    with pytest.raises(NotReady, match="No eraser version has been promoted"):
        replica.context.active_eraser.current()


def test_promoted_version_is_served_and_acknowledged(replica: Replica, erasers: dict[str, Eraser]) -> None:
    replica.publish(erasers["empty"])
    replica.watcher.look()
    assert replica.context.active_eraser.current().number == 0
    assert acknowledged(replica) == ("serving", 0, None)
    assert replica.http.get("/readyz").json() == {"status": "ready", "eraser": 0}


def test_altered_version_is_not_served_and_the_one_before_stays(replica: Replica, erasers: dict[str, Eraser]) -> None:
    replica.publish(erasers["empty"])
    replica.watcher.look()
    alter(replica, replica.publish(erasers["one"]))
    replica.watcher.look()
    assert replica.context.active_eraser.current().number == 0
    state, number, error = acknowledged(replica)
    assert (state, number) == ("failed", 0)
    assert "altered" in str(error)


def test_altered_version_closes_a_replica_whose_old_one_covers_too_few(
    replica: Replica, erasers: dict[str, Eraser], ticket: str
) -> None:
    """The new version cannot be trusted, and the old one does not cover everybody: every request is refused."""
    key = replica.publish(erasers["one"], ticket)
    replica.watcher.look()
    assert replica.context.active_eraser.current().number == 0
    replica.context.active_eraser.serve(Served(erasers["empty"], 0, "0" * 64, 0))
    alter(replica, key)
    with transaction(replica.worker.database.engine("admin")) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))  # past `append-only`
        session.execute(text("DELETE FROM version_ticket"))
    replica.watcher.look()
    with pytest.raises(NotReady, match="does not cover everybody"):
        replica.context.active_eraser.current()
    assert replica.ask("Hello!").status_code == 503


def test_version_that_no_longer_covers_everybody_is_dropped(
    replica: Replica, erasers: dict[str, Eraser], ticket: str
) -> None:
    replica.publish(erasers["one"], ticket)
    replica.watcher.look()
    assert replica.context.active_eraser.current().number == 0
    with transaction(replica.worker.database.engine("admin")) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))  # past `append-only`
        session.execute(text("DELETE FROM version_ticket"))
    replica.watcher.look()
    with pytest.raises(NotReady, match="does not cover everybody"):
        replica.context.active_eraser.current()
    assert acknowledged(replica)[0] == "failed"


def test_eraser_of_another_model_is_not_served(replica: Replica, erasers: dict[str, Eraser]) -> None:
    other = replace(erasers["empty"], site=replace(erasers["empty"].site, hidden_size=65))
    replica.publish(other)
    replica.watcher.look()
    with pytest.raises(NotReady, match="cannot be served"):
        replica.context.active_eraser.current()


def test_version_before_stays_until_the_store_is_back(
    replica: Replica, erasers: dict[str, Eraser], monkeypatch: pytest.MonkeyPatch
) -> None:
    replica.publish(erasers["empty"])
    replica.watcher.look()
    replica.publish(erasers["one"])

    def away(key: str) -> bytes:
        raise StoreUnavailable("The object store cannot be reached.")

    with monkeypatch.context() as patched:
        patched.setattr(replica.watcher.store, "get", away)
        replica.watcher.look()
        assert replica.context.active_eraser.current().number == 0
        assert "cannot be reached" in str(acknowledged(replica)[2])
    replica.watcher.look()
    assert replica.context.active_eraser.current().number == 1
    assert acknowledged(replica) == ("serving", 1, None)


def test_lease_is_renewed_while_the_store_hangs(
    replica: Replica, erasers: dict[str, Eraser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replica goes on with its version, says so under a lease, and serves the new one when it has come."""
    watcher, active = replica.watcher, replica.context.active_eraser
    replica.publish(erasers["empty"])
    watcher.look()
    active.grace_s = watcher.lease_s = 0.8
    replica.publish(erasers["one"])
    comes, get = threading.Event(), watcher.store.get

    def hang(key: str) -> bytes:
        comes.wait()
        return get(key)

    monkeypatch.setattr(watcher.store, "get", hang)
    looking = threading.Thread(target=watcher.look)
    looking.start()
    until = time.monotonic() + 3 * watcher.lease_s
    while time.monotonic() < until or acknowledged(replica)[0] != "loading":
        assert active.current().number == 0
        assert lease_holds(replica)
        time.sleep(0.05)
    assert acknowledged(replica) == ("loading", 0, None)
    comes.set()
    looking.join()
    assert active.current().number == 1
    assert acknowledged(replica) == ("serving", 1, None)


def test_version_in_memory_is_dropped_during_the_fetch_where_it_no_longer_covers_everybody(
    replica: Replica, erasers: dict[str, Eraser], monkeypatch: pytest.MonkeyPatch, ticket: str
) -> None:
    watcher, active = replica.watcher, replica.context.active_eraser
    replica.publish(erasers["one"], ticket)
    watcher.look()
    assert active.current().number == 0
    watcher.lease_s = 0.4
    replica.publish(erasers["one"], ticket)
    comes, get = threading.Event(), watcher.store.get

    def hang(key: str) -> bytes:
        comes.wait()
        return get(key)

    monkeypatch.setattr(watcher.store, "get", hang)
    looking = threading.Thread(target=watcher.look)
    looking.start()
    with transaction(replica.worker.database.engine("admin")) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))  # past `append-only`
        session.execute(
            text("DELETE FROM version_ticket USING eraser_version WHERE version_id = eraser_version.id AND number = 0")
        )
    wait_until(lambda: active.current_or_none() is None)
    with pytest.raises(NotReady, match="covers too few"):
        active.current()
    comes.set()
    looking.join()
    assert active.current().number == 1


def test_nothing_is_answered_before_it_is_acknowledged(
    replica: Replica, erasers: dict[str, Eraser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tickets would not wait for a replica whose lease the database does not know."""

    def away(*_: object, **__: object) -> None:
        raise Unavailable("The database cannot be reached.")

    replica.publish(erasers["empty"])
    with monkeypatch.context() as patched:
        patched.setattr(rollouts, "record_replica_state", away)
        with pytest.raises(Unavailable):
            replica.watcher.look()
        with pytest.raises(NotReady, match="too long"):
            replica.context.active_eraser.current()
    replica.watcher.look()
    assert replica.context.active_eraser.current().number == 0


def test_grace_of_a_replica_is_never_longer_than_its_lease() -> None:
    assert grace_of(Settings(grace_s=120, replica_lease_s=15)) == 15
    assert grace_of(Settings(grace_s=4, replica_lease_s=15)) == 4


def test_active_eraser_refuses_after_the_grace(erasers: dict[str, Eraser]) -> None:
    now = [0.0]
    active = ActiveEraser(grace_s=10, clock=lambda: now[0])
    with pytest.raises(NotReady, match="promoted"):
        active.current()
    active.serve(Served(erasers["empty"], 3, "ab" * 32, 1))
    with pytest.raises(NotReady, match="too long"):
        active.current()
    active.confirm()
    assert active.current().fingerprint == "lacuna-3-abababab"
    now[0] = 10.5
    with pytest.raises(NotReady, match="too long"):
        active.current()
    active.confirm()
    assert active.current().number == 3
    active.close("because")
    with pytest.raises(NotReady, match="because"):
        active.current()


def test_database_from_an_old_backup_is_refused(replica: Replica, erasers: dict[str, Eraser]) -> None:
    """At the start and later: below the mark in the store, or below an earlier state, all is refused; newer is fine."""
    watcher = replica.watcher
    replica.publish(erasers["empty"])
    high_water_mark.write(watcher.store, watcher.keys, watcher.model_id, HighWaterMark(2, 1, 0))
    watcher.look()
    with pytest.raises(NotReady, match=r"older than what was served before.*Restore a newer backup"):
        replica.context.active_eraser.current()
    assert replica.ask("Hello!").status_code == 503
    replica.publish(erasers["one"])
    watcher.look()
    assert replica.context.active_eraser.current().number == 1
    with transaction(replica.worker.database.engine("admin")) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE desired_state SET generation = 1"))
    watcher.look()
    with pytest.raises(NotReady, match="generation 1"):
        replica.context.active_eraser.current()


def test_replica_that_starts_between_publication_and_promotion_takes_the_database_for_what_it_is(
    replica: Replica,
) -> None:
    """The mark counts versions from their publication on, and so does the database, promoted or not."""
    watcher = replica.watcher
    number = replica.worker.publish(verdict=None)
    high_water_mark.write(watcher.store, watcher.keys, watcher.model_id, HighWaterMark(0, number, 0))
    watcher.look()
    with pytest.raises(NotReady, match="No eraser version has been promoted yet"):
        replica.context.active_eraser.current()
    high_water_mark.write(watcher.store, watcher.keys, watcher.model_id, HighWaterMark(0, number + 1, 0))
    replace(watcher, _mark=None).look()
    with pytest.raises(NotReady, match="older than what was served before"):
        replica.context.active_eraser.current()


def test_altered_high_water_mark_is_refused(replica: Replica, erasers: dict[str, Eraser]) -> None:
    watcher = replica.watcher
    replica.publish(erasers["empty"])
    watcher.store.put(f"highwater/{watcher.model_id}", b"{}")
    watcher.look()
    with pytest.raises(NotReady, match="cannot be read"):
        replica.context.active_eraser.current()


def test_missing_high_water_mark_is_refused_once_something_was_published(
    replica: Replica, erasers: dict[str, Eraser]
) -> None:
    """With or without its companions; a replica that has seen the mark goes on, for the database is not below it."""
    watcher, model = replica.watcher, replica.watcher.model_id
    replica.publish(erasers["empty"])
    replica.watcher.look()
    kept = watcher.store.get(f"highwater/{model}")
    watcher.store.delete(f"highwater/{model}")
    watcher.look()
    assert replica.context.active_eraser.current().number == 0
    watcher._mark = None  # another replica, or this one after a restart
    watcher.look()
    with pytest.raises(NotReady, match=r"mark is missing .* Put highwater/demo-vlm back .*lacuna restore"):
        replica.context.active_eraser.current()
    for key in list(watcher.store.list("highwater-companions/")):
        watcher.store.delete(key)
    watcher.look()
    with pytest.raises(NotReady, match="mark is missing"):
        replica.context.active_eraser.current()
    watcher.store.put(f"highwater/{model}", kept)
    watcher.look()
    assert replica.context.active_eraser.current().number == 0


def test_older_high_water_mark_is_refused(replica: Replica, erasers: dict[str, Eraser]) -> None:
    """Its companions show a restarted replica that it is older; without them, a running one remembers."""
    watcher, model = replica.watcher, replica.watcher.model_id
    replica.publish(erasers["empty"])
    older = watcher.store.get(f"highwater/{model}")
    high_water_mark.write(watcher.store, watcher.keys, model, HighWaterMark(1, 0, 0))
    replica.publish(erasers["one"])
    high_water_mark.write(watcher.store, watcher.keys, model, HighWaterMark(2, 1, 0))
    watcher.look()
    seen = watcher._mark
    with transaction(replica.worker.database.engine("admin")) as session:  # the database goes back as well
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE desired_state SET generation = 1"))
    watcher.store.put(f"highwater/{model}", older)
    for mark in (seen, None):
        watcher._mark = mark
        watcher.look()
        with pytest.raises(NotReady, match=r"generation 1 \(it was 2\)"):
            replica.context.active_eraser.current()
    for key in list(watcher.store.list("highwater-companions/")):
        watcher.store.delete(key)
    watcher._mark = seen
    watcher.look()
    with pytest.raises(NotReady, match=r"what this replica has served, and so is its mark: generation 1 \(it was 2\)"):
        replica.context.active_eraser.current()


def test_replica_without_its_memory_refuses_a_mark_that_is_older_than_its_companions(
    replica: Replica, erasers: dict[str, Eraser]
) -> None:
    """The database is the newest and the mark is not: that nobody takes the next old database for the newest."""
    watcher, model = replica.watcher, replica.watcher.model_id
    replica.publish(erasers["empty"])
    older = watcher.store.get(f"highwater/{model}")
    high_water_mark.write(watcher.store, watcher.keys, model, HighWaterMark(1, 0, 0))
    watcher.store.put(f"highwater/{model}", older)
    watcher.look()
    with pytest.raises(NotReady, match=r"replaced by an older one: generation 0 \(it was 1\)"):
        replica.context.active_eraser.current()
