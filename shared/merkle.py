"""The Merkle tree hash of RFC 6962, section 2.1. Knows nothing of what its leaves mean."""

import hashlib
from collections.abc import Mapping, Sequence


def leaf_hash(data: bytes) -> bytes:
    """SHA-256 of 0x00 and the leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The tree head over `leaves` (their data), 32 bytes; that of no leaf is SHA-256 of nothing."""
    level = [leaf_hash(leaf) for leaf in leaves]
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:  # pairing neighbours and passing an odd one up gives the recursive tree of the RFC
        pairs = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + (level[-1:] if len(level) % 2 else [])
    return level[0]


def coverage_root(commitments: Mapping[str, str]) -> str:
    """Hex root over a version's tickets (ticket id -> sha256 of its rows), in order of their ids."""
    return root([f"{ticket} {sha}".encode() for ticket, sha in sorted(commitments.items())]).hex()
