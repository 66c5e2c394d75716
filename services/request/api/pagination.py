"""Signed cursors for keyset pagination. A cursor belongs to one query of one tenant; any other use is refused.

A cursor is the base64url of a MAC and the keys of the last row. It holds no personal data and does not expire.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from shared.errors import BadCursor

_MAC_BYTES = 16  # a forger needs 2^128 attempts


def encode_cursor(secret: bytes, query: Any, place: Sequence[str]) -> str:
    """The cursor of the page after the row with the keys `place`; `query` is any JSON value that names the query."""
    body = json.dumps(list(place)).encode()
    return base64.urlsafe_b64encode(_mac(secret, query, body) + body).decode().rstrip("=")


def decode_cursor(secret: bytes, query: Any, cursor: str, length: int) -> list[str]:
    """The `length` keys of the last row. Raises BadCursor where it was altered or belongs to another query."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError as exc:
        raise BadCursor("This is not a cursor of this service.") from exc
    mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(secret, query, body)):
        raise BadCursor("This cursor was altered, or belongs to another query: start the list again.")
    place: list[str] = json.loads(body)
    if len(place) != length:
        raise BadCursor("This cursor belongs to another list.")
    return place


def _mac(secret: bytes, query: Any, body: bytes) -> bytes:
    digest = hashlib.sha256(json.dumps(query, sort_keys=True, default=str).encode()).digest()
    return hmac.digest(secret, b"cursor v1" + digest + body, "sha256")[:_MAC_BYTES]
