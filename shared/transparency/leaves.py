"""The bytes of a log leaf, version 1: what is hashed, exported and given to auditors is the same line.

JSON with sorted keys and no spaces, UTF-8, numbers as Python writes them, times in UTC with microseconds. A leaf speaks
of tickets, versions and accounts by their ids; it holds no personal data of whoever is forgotten. The name of the
account that acted is in it, and stays: choose account names that are no full names.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from shared.errors import IntegrityFailure

VERSION: Final = 1


def encode(number: int, at: datetime, actor: str, kind: str, subject: str, detail: Mapping[str, Any]) -> bytes:
    """One line, without its end. `number` is the row's id: given at writing, not the place in the log."""
    return json.dumps(
        {
            "v": VERSION,
            "id": number,
            "at": leaf_time(at),
            "actor": actor,
            "kind": kind,
            "subject": subject,
            "detail": detail,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()


def leaf_time(at: datetime) -> str:
    """A time as leaves spell it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def decode(line: bytes) -> dict[str, Any]:
    """What the line says; raises IntegrityFailure where it is no leaf that we know to read."""
    try:
        found = json.loads(line)
        known = {"v", "id", "at", "actor", "kind", "subject", "detail"}
        if found["v"] == VERSION and found.keys() == known:
            return dict(found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise IntegrityFailure("A leaf of the log cannot be read.") from exc
    raise IntegrityFailure("A leaf of the log is of a version that is not known here.")
