"""Insert many rows of several tables in one statement, hence one round trip.

The rows are sent as one JSON document, which PostgreSQL converts by the types of the tables. The statement is the same
for one row and for a thousand, so it is planned once. Foreign keys between the rows are checked at its end.
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
    """Insert the rows of each sequence. The objects belong to no session, before and after.

    The rows of one sequence are of one class and have the same attributes set. Other columns get their default.
    """
    sequences = [rows for rows in tables if rows]
    document = {rows[0].__tablename__: [_set_attributes(row) for row in rows] for rows in sequences}
    columns = tuple((name, tuple(rows[0])) for name, rows in document.items())
    if columns:
        session.execute(_statement(columns), {"document": json.dumps(document, default=_as_text)})


def _set_attributes(row: Base) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


@lru_cache(maxsize=32)
def _statement(tables: tuple[tuple[str, tuple[str, ...]], ...]) -> TextClause:
    """The statement for (table, columns) pairs. The names come from our own models, never from a request."""
    parts = []
    for table, columns in tables:
        listed = ", ".join(columns)
        rows = f"jsonb_populate_recordset(NULL::{table}, CAST(:document AS jsonb) -> '{table}')".replace("::", "\\:\\:")
        parts.append(f"{table}_rows AS (INSERT INTO {table} ({listed}) SELECT {listed} FROM {rows})")  # noqa: S608
    return text(f"WITH {', '.join(parts)} SELECT 1")


def _as_text(value: object) -> str:
    """The value in the notation that PostgreSQL reads."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
