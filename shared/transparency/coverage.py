"""What an eraser version commits to: a Merkle tree over its tickets. The same stands in SQL (`coverage_root_of`)."""

from collections.abc import Mapping

from shared.transparency.merkle_tree import Tree, leaf_hash


def coverage_leaf(ticket: str, rows_sha256: str) -> bytes:
    """One ticket: its id and the sha256 of its rows."""
    return f"{ticket} {rows_sha256}".encode()


def coverage_tree(commitments: Mapping[str, str]) -> Tree:
    """Over a version's tickets (ticket id -> sha256 of its rows), in order of their ids."""
    return Tree(leaf_hash(coverage_leaf(ticket, sha)) for ticket, sha in sorted(commitments.items()))


def coverage_root(commitments: Mapping[str, str]) -> str:
    """Hex root of that tree."""
    return coverage_tree(commitments).root().hex()
