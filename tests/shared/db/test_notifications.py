"""What the database announces is heard by the process that has something to do, and silence stays silence."""

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from sqlalchemy import select, text

from services.request.worker.loop import ControlLoop, Job
from shared.db.models.erasers import EraserVersion
from shared.db.notifications import DESIRED_STATE, WORK, Listener
from shared.db.repositories import audit_log, refits, rollouts
from shared.db.session import transaction
from shared.transparency.merkle_tree import leaf_hash
from tests.support.api import MODEL, People
from tests.support.databases import Databases
from tests.support.workers import Worker

WAIT_S: Final = 30.0  # longer than anything takes that happens at all
QUIET_S: Final = 1.0
GROUND = {"ground": "consent_withdrawn", "names": ["Mara Lindqvist"]}


class Ear:
    """A listener on a channel, and what it heard."""

    def __init__(self, database: Databases, role: str, channel: str) -> None:
        self._heard = threading.Event()
        self._listener = Listener(database.engine(role), channel, self._heard.set)
        self._listener.start()

    def heard(self, within_s: float = WAIT_S) -> bool:
        """Whether something is announced, or was since the last question."""
        heard = self._heard.wait(within_s)
        self._heard.clear()
        return heard

    def stop(self) -> None:
        self._listener.stop()


Listen = Callable[[str, str], Ear]


@pytest.fixture
def listen(database: Databases) -> Iterator[Listen]:
    """Listen under a role. It is called once when it listens, for what was announced before."""
    ears: list[Ear] = []

    def start(role: str, channel: str) -> Ear:
        ear = Ear(database, role, channel)
        ears.append(ear)
        assert ear.heard()
        return ear

    yield start
    for ear in ears:
        ear.stop()


def sequence(database: Databases) -> None:
    """Give every leaf a position, as the sequencer does."""
    with transaction(database.engine("control")) as session:
        leaves = audit_log.unsequenced(session, 1000)
        size = audit_log.sequenced_count(session)
        hashes = [leaf_hash(audit_log.leaf_bytes(leaf)) for leaf in leaves]
        audit_log.assign_positions(session, [leaf.id for leaf in leaves], size, hashes)


def test_officers_approval_is_heard_by_the_control_loop(
    people: People, listen: Listen, ticket_body: dict[str, Any]
) -> None:
    ticket = people["olivia"].post("/v1/tickets", ticket_body | {"urgent": True}).json()["id"]
    ear = listen("request", WORK)
    assert people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND).status_code == 200
    assert ear.heard()


def test_outcomes_of_workers_are_heard_and_renewed_leases_are_not(worker: Worker, listen: Listen) -> None:
    ear, refit = listen("request", WORK), worker.database.engine("refit")
    run, fence = worker.claim()
    ear.heard(QUIET_S)
    with transaction(refit) as session:
        refits.renew_lease(session, run, fence, "fitting", 30.0)
    assert not ear.heard(QUIET_S)
    with transaction(refit) as session:
        refits.finish_run(session, run, fence, "nothing_to_do")
    assert ear.heard()


def test_verdict_of_an_audit_is_heard(worker: Worker, listen: Listen) -> None:
    worker.publish(verdict=None)
    sequence(worker.database)
    with transaction(worker.database.engine("request")) as session:
        version = str(session.execute(text("SELECT id FROM eraser_version")).scalar_one())
    ear = listen("request", WORK)
    worker.audit(version, "passed")
    assert ear.heard()


def test_promotion_is_heard_by_replicas_and_their_acknowledgement_once(
    people: People, worker: Worker, listen: Listen
) -> None:
    worker.publish()
    replica = listen("inference", DESIRED_STATE)
    with transaction(people.context.database) as session:
        state = rollouts.desired_state(session, MODEL, lock=True)
        rollouts.set_desired_state(session, state, session.scalars(select(EraserVersion)).one(), "automatic", "clerk")
    assert replica.heard()
    sequence(worker.database)
    control_loop = listen("request", WORK)
    worker.serve(1, 0)
    assert control_loop.heard()
    worker.serve(1, 0)  # nothing but the lease
    assert not control_loop.heard(QUIET_S)
    worker.serve(1, 0, state="failed")
    assert control_loop.heard()


def test_leaf_is_announced_once_until_it_has_its_position(database: Databases, people: People, listen: Listen) -> None:
    sequence(database)
    ear = listen("request", WORK)

    def append() -> None:
        with transaction(database.engine("audit")) as session:
            audit_log.append_leaf(session, "audit", "audit.passed", str(uuid.uuid4()), {})

    append()
    assert ear.heard()
    append()
    assert not ear.heard(QUIET_S)
    sequence(database)
    append()
    assert ear.heard()


def test_listener_whose_connection_was_cut_listens_again(database: Databases, people: People, listen: Listen) -> None:
    ear = listen("request", WORK)
    with transaction(database.engine("admin")) as session:
        cut = session.execute(text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )).scalars()  # fmt: skip
        assert list(cut) == [True]
    assert ear.heard()  # it says so itself when it listens again
    with transaction(people.context.database) as session:
        refits.order_refit(session, MODEL, "urgent")
    assert ear.heard()


@pytest.mark.parametrize(("listening", "longest_pause_s"), [(True, 3600.0), (False, 0.2)])
def test_order_is_seen_by_announcement_alone_and_without_any_announcement(
    people: People, database: Databases, listening: bool, longest_pause_s: float
) -> None:
    """The same work arrives both ways: only how long it may take is different."""
    seen = threading.Event()
    order = uuid.uuid4()

    def look() -> None:
        with transaction(database.engine("request")) as session:
            if session.execute(text("SELECT 1 FROM outbox WHERE id = :id"), {"id": order}).first():
                seen.set()

    first = threading.Event()
    loop = ControlLoop([Job("look", look)], lambda _: first.set(), longest_pause_s=longest_pause_s)
    listener = Listener(database.engine("request"), WORK, loop.wake)
    if listening:
        listener.start()
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        assert first.wait(WAIT_S)
        with transaction(people.context.database) as session:
            session.execute(
                text("INSERT INTO outbox (id, queue, task, kwargs) VALUES (:id, 'refit', 'refit', '{}')"), {"id": order}
            )
        assert seen.wait(WAIT_S)
    finally:
        listener.stop()
        loop.stop()
        thread.join(WAIT_S)
