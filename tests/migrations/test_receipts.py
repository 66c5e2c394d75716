"""Migration 0041 gives each ticket the moment of its receipt, from its clock."""

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from alembic import command

from migrations.run import alembic_config
from tests.support.databases import Databases, empty_database

NAME = "lacuna_receipts"
TICKET = """INSERT INTO ticket (id, tenant_id, model_id, state, source, subject_index, payload_key, payload_sha256,
    photos, facts, urgent, submitted_by, submitted_at, last_edited_by)
    VALUES (%s, 'default', 'm', 'under_review', 'api', '{}', 'k', 's', 0, 1, false, 'olivia', now(), 'olivia')"""
CLOCK = "INSERT INTO ticket_clock (ticket_id, kind, at, actor) VALUES (%s, %s, now() - %s, 'olivia')"


@pytest.fixture
def before(database: Databases) -> Iterator[str]:
    """The address of a database of the version before: a ticket that came ten days ago, and one without a clock."""
    with empty_database(database, NAME) as url:
        command.upgrade(alembic_config(url), "0040")
        with psycopg.connect(url) as old:
            old.execute("SET session_replication_role = replica")
            old.execute("INSERT INTO tenant (id) VALUES ('default')")
            old.execute("INSERT INTO model (id, tenant_id, source) VALUES ('m', 'default', 's')")
            for ticket in ("T-1", "T-2"):
                old.execute(TICKET, (ticket,))
            for kind, days in (("received", 10), ("paused", 8), ("stopped", 5), ("received", 10)):
                old.execute(CLOCK, ("T-1", kind, timedelta(days=days)))
        yield url


def test_receipt_is_that_of_the_clock_and_the_filing_where_there_is_none(before: str) -> None:
    command.upgrade(alembic_config(before), "0041")
    with psycopg.connect(before) as now:
        waited: dict[str, timedelta] = dict(now.execute("SELECT id, submitted_at - received_at FROM ticket").fetchall())
        assert waited == {"T-1": timedelta(days=10), "T-2": timedelta()}
        enabled = now.execute("SELECT DISTINCT tgenabled FROM pg_trigger WHERE tgrelid = 'ticket'::regclass")
        assert enabled.fetchall() == [("O",)]  # every trigger of the table is in force again
        now.execute("SET session_replication_role = replica")
        now.execute(TICKET, ("T-3",))  # as a process of the version before files one
        assert now.execute("SELECT received_at FROM ticket WHERE id = 'T-3'").fetchone() is not None
