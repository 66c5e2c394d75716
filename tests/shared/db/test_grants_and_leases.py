"""PostgreSQL itself guarantees one writer for each table, fenced leases and an append-only log."""

import subprocess
import sys
import uuid
from collections.abc import Callable

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from migrations.run import upgrade
from shared.db.models.base import Base
from shared.db.repositories import audits, erasers, refits
from shared.db.session import make_engine, transaction
from shared.errors import Conflict, NotFound, Unavailable
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.workers import Worker

WRITERS = {
    "ticket": {"request", "control"},
    "ticket_event": {"request", "control"},
    "disposal": {"request", "control"},
    "letter": {"request"},
    "ticket_contact": {"request"},
    "form_request": {"request"},
    "drp_token": {"request"},
    "drp_message": {"request"},
    "drp_request": {"request"},
    "drop_list": {"request", "control"},
    "drop_match": {"control"},
    "api_key": {"request"},
    "desired_state": {"request", "control"},
    "promotion": {"request", "control"},
    "idempotency_key": {"request"},
    "refit_run": {"refit"},
    "refit_run_ticket": {"refit"},
    "fit_rows": {"refit"},
    "eraser_version": {"refit"},
    "version_ticket": {"refit"},
    "audit_run": {"audit"},
    "replica": {"inference"},
    "outbox": {"request", "control", "refit"},
    "log_leaf": {"request", "control", "refit", "audit"},
    "ticket_clock": {"request", "control"},
    "escalation": {"request", "control"},
    "ticket_hold": {"request", "control"},
    "break_glass": {"request"},
    "break_glass_ticket": {"request"},
    "exposure": {"request", "control"},
    "lifecycle_move": set(),
    "log_checkpoint": {"control"},
    "log_timestamp": {"control"},
    "certificate": {"control"},
    "pulse": {"request", "control", "refit", "audit"},  # each its own row
    "alarm": {"request", "control"},
}


@pytest.mark.parametrize("table", WRITERS)
def test_each_table_has_its_writers_and_nobody_deletes(database: Databases, table: str) -> None:
    with transaction(database.engine("admin")) as session:
        granted = session.execute(
            text(
                "SELECT grantee, privilege_type FROM information_schema.role_table_grants "
                "WHERE table_name = :table AND grantee LIKE 'lacuna_%'"
            ),
            {"table": table},
        ).all()
    may = {(grantee.removeprefix("lacuna_"), right) for grantee, right in granted}
    assert {service for service, right in may if right == "INSERT"} == WRITERS[table]
    assert {service for service, right in may if right == "UPDATE"} <= WRITERS[table]
    assert not {right for _, right in may} & {"DELETE", "TRUNCATE", "TRIGGER", "REFERENCES"}


@pytest.mark.parametrize(
    ("service", "statement"),
    [
        ("refit", "UPDATE ticket SET state = 'withdrawn'"),
        ("audit", "UPDATE ticket SET state = 'completed'"),
        ("inference", "SELECT * FROM ticket"),
        ("inference", "UPDATE desired_state SET generation = 0"),
        ("audit", "INSERT INTO desired_state VALUES ('m', 1, gen_random_uuid(), 'x', now())"),
        ("refit", "SELECT key_sha256 FROM api_key"),
        ("request", "DELETE FROM log_leaf"),
        ("request", "UPDATE log_leaf SET actor = 'x'"),
        ("refit", "UPDATE log_leaf SET position = 0, leaf_hash = ''"),
        ("audit", "DELETE FROM log_leaf"),
        ("request", "TRUNCATE log_leaf"),
        ("request", "UPDATE log_leaf SET position = 0, leaf_hash = ''"),
        ("request", "INSERT INTO log_checkpoint VALUES (1, '', '', now())"),
        ("request", "INSERT INTO log_timestamp SELECT * FROM log_timestamp"),
        ("request", "INSERT INTO certificate SELECT * FROM certificate"),
        ("request", "UPDATE log_checkpoint SET size = 1"),
        ("request", "DELETE FROM certificate"),
        ("refit", "INSERT INTO log_checkpoint VALUES (1, '', '', now())"),
        ("request", "ALTER TABLE desired_state DISABLE TRIGGER guard"),
        ("request", "CREATE TABLE mine (id int)"),
    ],
)
def test_statement_outside_the_grants_of_a_service_is_refused(
    database: Databases, service: str, statement: str
) -> None:
    with (
        pytest.raises(Exception, match=r"permission denied|must be owner"),
        transaction(database.engine(service)) as session,
    ):
        session.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log_leaf SET actor = actor",
        "DELETE FROM log_leaf",
        "TRUNCATE log_leaf",
        "UPDATE log_leaf SET position = 7, leaf_hash = sha256(''), actor = 'x'",
        "INSERT INTO log_leaf (actor, kind, subject, detail, position, leaf_hash) "
        "VALUES ('x', 'x', 'x', '{}', 7, sha256(''))",
        "DELETE FROM log_checkpoint",
        "UPDATE certificate SET reason = 'x'",
        "TRUNCATE certificate",
        "UPDATE eraser_version SET recipe = recipe",
        "DELETE FROM eraser_version",
        "TRUNCATE eraser_version CASCADE",
    ],
)
def test_log_and_versions_only_grow_even_for_the_administrator(
    worker: Worker, database: Databases, statement: str
) -> None:
    worker.publish()
    with pytest.raises(Exception, match="append-only"), transaction(database.engine("admin")) as session:
        session.execute(text(statement))


def test_migrated_schema_matches_the_models(database: Databases) -> None:
    engine = create_engine(database.engine("admin").url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
    kinds = {change[0] for change in differences if isinstance(change, tuple)}
    assert not kinds & {"add_table", "remove_table", "add_column", "remove_column"}, differences


def test_alembic_sees_every_table_of_the_database(database: Databases) -> None:
    """`migrations/env.py` imports the base class alone: in a fresh process, that has to load every table."""
    code = "from shared.db.models.base import Base; print(*Base.metadata.tables)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    with transaction(database.engine("admin")) as session:
        tables = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
    assert set(loaded) == set(tables) - {"alembic_version"}


def test_change_of_an_append_only_table_is_a_conflict(worker: Worker, database: Databases) -> None:
    worker.publish()
    with pytest.raises(Conflict, match="append-only"), transaction(database.engine("admin")) as session:
        session.execute(text("DELETE FROM eraser_version"))


def test_migrating_twice_changes_nothing(database: Databases) -> None:
    upgrade(database.admin_url)


def test_run_with_a_live_lease_is_not_claimed_and_old_fence_cannot_write(people: People, worker: Worker) -> None:
    run, fence = worker.claim()
    with transaction(worker.database.engine("refit")) as session:
        assert refits.claim_run(session, run, "demo-vlm", "urgent", lease_s=30) is None
    with transaction(worker.database.engine("admin")) as session:
        session.execute(text("UPDATE refit_run SET lease_until = now() - interval '1 second'"))
    _, higher = worker.claim(run)
    assert higher == fence + 1
    writes: tuple[Callable[[Session], object], ...] = (
        lambda session: refits.renew_lease(session, run, fence, "fit", 30),
        lambda session: refits.finish_run(session, run, fence, "succeeded"),
        lambda session: refits.set_ticket_outcome(session, run, fence, "T-1", "fitted"),
    )
    for write in writes:
        with pytest.raises(Conflict, match="other hands"), transaction(worker.database.engine("refit")) as session:
            write(session)


def test_finished_run_claimed_again_is_already_done(people: People, worker: Worker) -> None:
    run, fence = worker.claim()
    with transaction(worker.database.engine("refit")) as session:
        refits.finish_run(session, run, fence, "nothing_to_do")
    with transaction(worker.database.engine("refit")) as session:
        claim = refits.claim_run(session, run, "demo-vlm", "urgent", lease_s=30)
    assert claim is not None
    assert claim.already_done


def test_one_night_is_refitted_once(people: People, worker: Worker) -> None:
    """Two runs with the same period: the second finds nothing to claim."""
    claims = []
    for _ in range(2):
        with transaction(worker.database.engine("refit")) as session:
            claims.append(
                refits.claim_run(session, str(uuid.uuid4()), "demo-vlm", "nightly", period="2026-11-24", lease_s=30)
            )
    assert claims[0] is not None
    assert claims[1] is None


def test_audit_that_lost_its_lease_cannot_write_its_verdict(people: People, worker: Worker) -> None:
    worker.publish(verdict=None)
    with transaction(worker.database.engine("admin")) as session:
        version = session.execute(text("SELECT id::text FROM eraser_version")).scalar_one()
    audit = str(uuid.uuid4())
    engine = worker.database.engine("audit")
    with transaction(engine) as session:
        first = audits.claim_audit(session, audit, version, lease_s=-1)
    with transaction(engine) as session:
        second = audits.claim_audit(session, audit, version, lease_s=30)
    assert first is not None
    assert second is not None
    assert (first.fence, second.fence) == (1, 2)
    with pytest.raises(Conflict, match="other hands"), transaction(engine) as session:
        audits.finish_audit(session, audit, first.fence, status="succeeded", verdict="passed")
    with pytest.raises(NotFound), transaction(engine) as session:
        erasers.get_version_by_id(session, str(uuid.uuid4()))


def test_unreachable_database_is_reported_as_unavailable() -> None:
    engine = make_engine("postgresql://nobody:x@127.0.0.1:1/none")
    with pytest.raises(Unavailable, match="cannot be reached"), transaction(engine) as session:
        session.execute(text("SELECT 1"))
    engine.dispose()
