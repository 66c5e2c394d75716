"""`migrations/schema.sql` is the database that the migrations make, complete and readable."""

import re
from collections.abc import Iterator

import psycopg
import pytest

from migrations.dump_schema import SCHEMA, dump, render
from tests.support.databases import Databases, empty_database

LOADED = "lacuna_schema"


@pytest.fixture(scope="module")
def schema() -> str:
    """The file."""
    return SCHEMA.read_text()


@pytest.fixture
def loaded(database: Databases, schema: str) -> Iterator[str]:
    """The address of a database that was made by the file alone."""
    with empty_database(database, LOADED) as url:
        with psycopg.connect(url) as empty:
            empty.execute(schema.encode())
        yield url


def _section(schema: str, title: str) -> str:
    return re.split(r"^-- =+\n(?=-- [A-Z])", schema.partition(f"=\n-- {title}")[2], flags=re.MULTILINE)[0]


def _functions(connection: psycopg.Connection[tuple[str, str]]) -> dict[str, str]:
    return dict(connection.execute("SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"))


def test_schema_file_equals_the_migrated_database(database: Databases, schema: str) -> None:
    assert schema == render(dump(database.admin_url)), "The database has changed: run `make schema`."


def test_database_loaded_from_schema_file_has_the_dump_of_the_migrated_one(database: Databases, loaded: str) -> None:
    dumped = dump(loaded)
    assert dumped.count("CREATE TRIGGER") > 0
    assert dumped == dump(database.admin_url)


def test_every_table_function_and_trigger_of_the_catalogue_stands_in_the_file_once(
    database: Databases, schema: str
) -> None:
    with psycopg.connect(database.admin_url) as connection:
        for kind, query in {
            "TABLE": "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
            "FUNCTION": "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
            "TRIGGER": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
        }.items():
            expected = sorted(name for (name,) in connection.execute(query.encode()))
            assert sorted(re.findall(rf"^CREATE (?:CONSTRAINT )?{kind} (\w+)", schema, flags=re.MULTILINE)) == expected


def test_rollback_guard_section_holds_every_function_that_the_guard_calls(database: Databases, schema: str) -> None:
    guard = _section(schema, "THE ROLLBACK GUARD")
    with psycopg.connect(database.admin_url) as connection:
        source = _functions(connection)
    called, pending = set[str](), {"guard_desired_state"}
    while pending:
        called |= pending
        text = " ".join(source[name] for name in pending)
        pending = {name for name in source if re.search(rf"\b{name}\(", text)} - called
    assert called == {"guard_desired_state", "uncovered_tickets", "coverage_root_of", "merkle_root"}
    assert called <= set(re.findall(r"^CREATE FUNCTION (\w+)", guard, flags=re.MULTILINE))


def test_rollback_guard_section_names_every_sqlstate_that_it_raises(schema: str) -> None:
    explanation, _, statements = _section(schema, "THE ROLLBACK GUARD").partition("CREATE FUNCTION")
    raised = set(re.findall(r"ERRCODE = '(\w+)'", statements))
    assert {"LC001", "LC002", "LC004", "LC005"} <= raised
    assert raised <= set(re.findall(r"LC\d{3}", explanation))


def test_no_service_may_delete_or_truncate(schema: str) -> None:
    grants = re.findall(r"^GRANT .+?;", schema, flags=re.MULTILINE | re.DOTALL)
    assert len(grants) > len(re.findall("^CREATE TABLE", schema, flags=re.MULTILINE))
    assert not [grant for grant in grants if re.search("DELETE|TRUNCATE|ALL", grant)]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("CREATE TABLE stray ()", "differ: stray"),
        ("CREATE FUNCTION stray() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "differ: stray"),
        ("CREATE VIEW stray AS SELECT 1 AS one", "entries of the type VIEW"),
        ("DROP TRIGGER guard ON desired_state; DROP FUNCTION guard_desired_state()", "guard_desired_state"),
    ],
)
def test_object_that_the_layout_does_not_place_is_refused(database: Databases, statement: str, message: str) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        connection.execute(statement.encode())
    with pytest.raises(ValueError, match=message):
        render(dump(database.admin_url))
