"""The coverage of an eraser version: a Merkle tree over its tickets. SQL computes the same (`coverage_root_of`)."""

from collections.abc import Mapping

from shared.transparency.merkle_tree import Tree, leaf_hash


def coverage_leaf(ticket: str, rows_sha256: str) -> bytes:
    """The leaf of one ticket: its id and the sha256 of its fit."""
    return f"{ticket} {rows_sha256}".encode()


def coverage_tree(commitments: Mapping[str, str]) -> Tree:
    """The tree over the tickets of a version (ticket id -> sha256 of its fit), in the order of their ids."""
    return Tree(leaf_hash(coverage_leaf(ticket, sha)) for ticket, sha in sorted(commitments.items()))


def coverage_root(commitments: Mapping[str, str]) -> str:
    """The root of that tree, in hex."""
    return coverage_tree(commitments).root().hex()
