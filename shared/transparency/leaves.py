"""The bytes of a log leaf, version 1: one line, which is hashed, exported and given to auditors.

The line is JSON with sorted keys and no spaces, in UTF-8, with numbers as Python writes them and times in UTC with
microseconds. A leaf names tickets, versions and accounts by their ids and contains no personal data of the person who
is forgotten. The name of the account that acted stays in the log for ever, so it should not be a full name.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from shared.errors import IntegrityFailure

VERSION: Final = 1
WITHHELD: Final = "leaf_hash"
HASH_BYTES: Final = 32


def encode(number: int, at: datetime, actor: str, kind: str, subject: str, detail: Mapping[str, Any]) -> bytes:
    """The line, without a line end. `number` is the id of the row, which is not the position in the log."""
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
    """A time as leaves write it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def encode_withheld(leaf_hash: bytes) -> bytes:
    """The line that stands for a leaf of another tenant in an export: its hash, which proves the leaves around it."""
    return json.dumps({WITHHELD: base64.b64encode(leaf_hash).decode()}, separators=(",", ":")).encode()


def withheld_hash(line: bytes) -> bytes | None:
    """The hash that stands for a leaf of another tenant; None where the line is a leaf itself."""
    if not line.startswith(b'{"' + WITHHELD.encode() + b'":'):
        return None
    try:
        content = json.loads(line)
        leaf_hash = base64.b64decode(content[WITHHELD], validate=True)
        if content.keys() == {WITHHELD} and len(leaf_hash) == HASH_BYTES:
            return leaf_hash
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise IntegrityFailure("The hash of a leaf of the log cannot be read.") from exc
    raise IntegrityFailure("The hash of a leaf of the log cannot be read.")


def decode(line: bytes) -> dict[str, Any]:
    """The content of the line. Raises IntegrityFailure where it is not a leaf of a known version."""
    try:
        leaf = json.loads(line)
        members = {"v", "id", "at", "actor", "kind", "subject", "detail"}
        if leaf["v"] == VERSION and leaf.keys() == members:
            return dict(leaf)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise IntegrityFailure("A leaf of the log cannot be read.") from exc
    raise IntegrityFailure("A leaf of the log is of a version that is not known here.")
