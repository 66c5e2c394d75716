"""Migration 0015 changes the sentences of refusals and nothing else of the functions that refuse."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import psycopg
import pytest
from alembic import command

from migrations.run import alembic_config
from tests.support.databases import Databases, empty_database

NAME = "lacuna_sentences"
SENTENCE = re.compile(r"EXCEPTION '([^']*)'")


@dataclass(frozen=True)
class Function:
    """What a function is and who may call it."""

    source: str
    settings: list[str] | None
    security_definer: bool
    grants: str | None
    owner: str

    @property
    def sentences(self) -> list[str]:
        """With what it refuses."""
        return SENTENCE.findall(self.source)


@pytest.fixture
def empty(database: Databases) -> Iterator[str]:
    """The address of a database without a schema."""
    with empty_database(database, NAME) as url:
        yield url


def functions(url: str) -> dict[str, Function]:
    query = """SELECT proname, prosrc, proconfig, prosecdef, proacl::text, proowner::regrole::text
               FROM pg_proc WHERE pronamespace = 'public'::regnamespace"""
    with psycopg.connect(url) as connection:
        return {name: Function(*row) for name, *row in connection.execute(query)}


def test_only_the_sentences_of_the_functions_change(empty: str) -> None:
    command.upgrade(alembic_config(empty), "0014")
    before = functions(empty)
    command.upgrade(alembic_config(empty), "0015")
    after = functions(empty)

    def blanked(all_functions: dict[str, Function]) -> dict[str, Function]:
        return {
            name: replace(function, source=re.sub(r"\s+", " ", SENTENCE.sub("EXCEPTION ''", function.source)))
            for name, function in all_functions.items()
        }

    assert blanked(before) == blanked(after)
    changed = {name for name in before if before[name].sentences != after[name].sentences}
    assert {"guard_break_glass", "guard_ticket", "guard_desired_state"} <= changed
    for name in changed:  # each sentence takes the same values, in the same order
        assert [text.count("%") for text in before[name].sentences] == [
            text.count("%") for text in after[name].sentences
        ]
