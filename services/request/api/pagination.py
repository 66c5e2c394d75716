"""Opaque, signed places in a list (keyset pagination). Made for one query of one tenant; any other use is refused.

A cursor is base64url of a MAC and the last row's keys; it holds no personal data and does not age.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from shared.errors import BadCursor

_MAC = 16  # bytes: 2^128 tries to forge


def encode_cursor(secret: bytes, query: Any, place: Sequence[str]) -> str:
    """The cursor after `place` in `query` (anything JSON)."""
    body = json.dumps(list(place)).encode()
    return base64.urlsafe_b64encode(_mac(secret, query, body) + body).decode().rstrip("=")


def decode_cursor(secret: bytes, query: Any, cursor: str, length: int) -> list[str]:
    """The place; raises BadCursor where it was altered or belongs to another query."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError as exc:
        raise BadCursor("This cursor is none of ours.") from exc
    mac, body = raw[:_MAC], raw[_MAC:]
    if not hmac.compare_digest(mac, _mac(secret, query, body)):
        raise BadCursor("This cursor was altered, or belongs to another query: begin the list anew.")
    place: list[str] = json.loads(body)
    if len(place) != length:
        raise BadCursor("This cursor belongs to another list.")
    return place


def _mac(secret: bytes, query: Any, body: bytes) -> bytes:
    asked = hashlib.sha256(json.dumps(query, sort_keys=True, default=str).encode()).digest()
    return hmac.digest(secret, b"cursor v1" + asked + body, "sha256")[:_MAC]
