"""The sequencer: each leaf gets one position, in order, and is signed; a past that was changed stops it."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from services.request.audit_log.sequencer import Sequencer
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.errors import IntegrityFailure
from shared.storage.local import LocalStore
from shared.storage.object_keys import NEWEST_CHECKPOINT, checkpoint_key
from shared.transparency import checkpoints
from shared.transparency.checkpoints import Checkpoint
from shared.transparency.media_types import LOG_NAME
from shared.transparency.merkle_tree import EMPTY, Tree, leaf_hash
from tests.support.audit_log import LOG_KEY, LOG_SIGNER
from tests.support.databases import Databases


def as_owner(database: Databases, *statements: str) -> None:
    """What only the owner of the database can do: the triggers are switched off first."""
    with transaction(database.engine("admin")) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            session.execute(text(statement))


def test_leaves_get_positions_and_a_checkpoint_in_database_and_store(
    database: Databases, store: LocalStore, sequencer: Sequencer, happen: Callable[[int], None]
) -> None:
    happen(3)
    assert sequencer.run_once() == 3
    happen(2)
    assert (sequencer.run_once(), sequencer.run_once()) == (2, 0)
    with transaction(database.engine("request")) as session:
        leaves = audit_log.leaves(session, 0, 10)
        assert [leaf.position for leaf in leaves] == [0, 1, 2, 3, 4]
        tree = Tree(leaf_hash(audit_log.leaf_bytes(leaf)) for leaf in leaves)
        assert [checkpoint.size for checkpoint in audit_log.checkpoints(session, 0, 10)] == [3, 5]
    for key, size in ((checkpoint_key(3), 3), (checkpoint_key(5), 5), (NEWEST_CHECKPOINT, 5)):
        assert checkpoints.read(store.get(key).decode(), [LOG_KEY]) == Checkpoint(LOG_NAME, size, tree.root(size))


def test_leaf_of_a_slow_transaction_follows_leaves_committed_before(
    database: Databases, sequencer: Sequencer, happen: Callable[[int], None]
) -> None:
    with transaction(database.engine("refit")) as slow:
        slow.execute(text("INSERT INTO log_leaf (actor, kind, subject, detail) VALUES ('r', 'k', 's', '{}')"))
        happen(2)
        assert sequencer.run_once() == 2
    assert sequencer.run_once() == 1
    with transaction(database.engine("request")) as session:
        assert [leaf.id for leaf in audit_log.leaves(session, 0, 9)] == [2, 3, 1]


def test_concurrent_sequencers_assign_no_position_twice(
    database: Databases, store: LocalStore, sequencer: Sequencer, happen: Callable[[int], None]
) -> None:
    other = Sequencer(database.engine("control"), store, LOG_SIGNER, [LOG_KEY], LOG_NAME)
    for number in range(1, 5):
        happen(number)
        (sequencer if number % 2 else other).run_once()
    with transaction(database.engine("request")) as lock:
        assert audit_log.try_sequencer_lock(lock)
        happen(1)
        assert other.run_once() == 0
    assert other.run_once() == 1
    with transaction(database.engine("request")) as session:
        assert [leaf.position for leaf in audit_log.leaves(session, 0, 99)] == list(range(11))


def test_rolled_back_round_leaves_no_trace_in_memory(
    database: Databases, sequencer: Sequencer, happen: Callable[[int], None]
) -> None:
    happen(2)
    sequencer.run_once()
    happen(2)
    kept = sequencer.signer
    sequencer.signer = None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        sequencer.run_once()
    sequencer.signer = kept
    assert sequencer.run_once() == 2
    with transaction(database.engine("request")) as session:
        newest = audit_log.newest_checkpoint(session)
        assert newest is not None
        assert newest.size == 4


def test_unpublished_checkpoint_is_published_later(
    store: LocalStore, sequencer: Sequencer, happen: Callable[[int], None]
) -> None:
    happen(1)
    sequencer.run_once()
    for key in list(store.list("log/")):
        store.delete(key)
    sequencer._published = None
    sequencer.run_once()
    assert list(store.list("log/")) == [NEWEST_CHECKPOINT, checkpoint_key(1)]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE log_leaf SET leaf_hash = sha256('x') WHERE position = 1", "not those that were signed"),
        ("DELETE FROM log_leaf WHERE position = 3", "ends at 3 leaves, but 4 were signed"),
        ("UPDATE log_leaf SET position = 7 - position WHERE position > 2", "these are not 0 to 3"),
    ],
)
def test_changed_past_stops_the_signing(
    database: Databases,
    store: LocalStore,
    sequencer: Sequencer,
    happen: Callable[[int], None],
    statement: str,
    reason: str,
) -> None:
    happen(4)
    sequencer.run_once()
    as_owner(database, statement)
    happen(1)
    with pytest.raises(IntegrityFailure, match=reason):
        Sequencer(database.engine("control"), store, LOG_SIGNER, [LOG_KEY], LOG_NAME).run_once()


def test_database_older_than_the_object_store_stops_the_signing(
    database: Databases, store: LocalStore, sequencer: Sequencer, happen: Callable[[int], None]
) -> None:
    happen(4)
    sequencer.run_once()
    as_owner(database, "DELETE FROM log_leaf", "DELETE FROM log_checkpoint")
    happen(1)
    with pytest.raises(IntegrityFailure, match=r"older than the object store.* 4 leaves.* ends at 0"):
        Sequencer(database.engine("control"), store, LOG_SIGNER, [LOG_KEY], LOG_NAME).run_once()


def test_foreign_checkpoint_in_the_store_stops_the_signing(
    store: LocalStore, sequencer: Sequencer, happen: Callable[[int], None]
) -> None:
    happen(2)
    sequencer.run_once()
    signed = store.get(NEWEST_CHECKPOINT)
    store.put(NEWEST_CHECKPOINT, signed.replace(b"\n2\n", b"\n1\n"))
    happen(1)
    with pytest.raises(IntegrityFailure, match="altered"):
        sequencer.run_once()
    store.put(NEWEST_CHECKPOINT, checkpoints.sign(Checkpoint(LOG_NAME, 2, EMPTY), LOG_SIGNER).encode())
    with pytest.raises(IntegrityFailure, match="another history"):
        sequencer.run_once()
    store.put(NEWEST_CHECKPOINT, signed)
    assert sequencer.run_once() == 1


def test_leaf_is_appended_by_one_statement(database: Databases) -> None:
    """What a ticket pays for the log: one INSERT, no read, no lock that another writer waits for."""
    with transaction(database.engine("request")) as first, transaction(database.engine("request")) as second:
        audit_log.append_leaf(first, "olivia", "k", "s", {})
        second.execute(text("SET LOCAL lock_timeout = '1s'"))
        audit_log.append_leaf(second, "adam", "k", "s", {})


@pytest.mark.parametrize("newest_note", ["deleted", "older"])
def test_old_database_is_found_where_the_newest_note_is_deleted_or_an_older_one(
    database: Databases, store: LocalStore, sequencer: Sequencer, happen: Callable[[int], None], newest_note: str
) -> None:
    """The checkpoints that the store lists say how far the log was signed; without leaves that wait as well."""
    happen(2)
    sequencer.run_once()
    older = store.get(NEWEST_CHECKPOINT)
    happen(3)
    sequencer.run_once()
    as_owner(database, "DELETE FROM log_checkpoint WHERE size = 5", "DELETE FROM log_leaf WHERE position >= 2")
    store.delete(NEWEST_CHECKPOINT)
    if newest_note == "older":
        store.put(NEWEST_CHECKPOINT, older)
    restarted = Sequencer(sequencer.database, store, LOG_SIGNER, [LOG_KEY], LOG_NAME)
    assert restarted.run_once() == 0
    assert checkpoints.read(store.get(NEWEST_CHECKPOINT).decode(), [LOG_KEY]).size == 5
    happen(1)
    with pytest.raises(IntegrityFailure, match="signed at 5 leaves, and here it ends at 2"):
        restarted.run_once()
