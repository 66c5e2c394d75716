"""Many rows of several tables in one statement, hence one round trip. For rows that nobody has to read back.

The rows travel as one JSON document, which PostgreSQL takes apart by the tables' own types; the statement is the same
for one row and for a thousand, so that it is planned once. Foreign keys between the rows hold: they are checked at the
statement's end. Knows no rule.
"""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from shared.db.models.base import Base


def bulk_insert(session: Session, *tables: Sequence[Base]) -> None:
    """Insert the rows of each sequence, in order; they stay what they are, objects that belong to no session.

    Those of one sequence are of one class and have the same attributes set; what none sets is the column's default.
    """
    given = [rows for rows in tables if rows]
    document = {rows[0].__tablename__: [_set(row) for row in rows] for rows in given}
    columns = tuple((name, tuple(rows[0])) for name, rows in document.items())
    if columns:
        session.execute(_statement(columns), {"document": json.dumps(document, default=_plain)})


def _set(row: Base) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


@lru_cache(maxsize=32)
def _statement(tables: tuple[tuple[str, tuple[str, ...]], ...]) -> TextClause:
    """Names are those of our own models, never of a request."""
    parts = []
    for table, columns in tables:
        named = ", ".join(columns)
        rows = f"jsonb_populate_recordset(NULL::{table}, CAST(:document AS jsonb) -> '{table}')".replace("::", "\\:\\:")
        parts.append(f"{table}_rows AS (INSERT INTO {table} ({named}) SELECT {named} FROM {rows})")  # noqa: S608
    return text(f"WITH {', '.join(parts)} SELECT 1")


def _plain(value: object) -> str:
    """As PostgreSQL reads it back."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
