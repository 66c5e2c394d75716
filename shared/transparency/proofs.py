"""Check inclusion and consistency proofs of a Merkle tree: RFC 9162, sections 2.1.3.2 and 2.1.4.2."""

from collections.abc import Sequence

from shared.transparency.merkle_tree import EMPTY, node_hash


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf hash `leaf` is at `index` in the tree of `size` leaves with that root."""
    if not 0 <= index < size:
        return False
    at, last, computed = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            computed = node_hash(step, computed)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            computed = node_hash(computed, step)
        at, last = at >> 1, last >> 1
    return last == 0 and computed == root


def is_consistent(first: int, size: int, path: Sequence[bytes], first_root: bytes, root: bytes) -> bool:
    """Whether the tree of `size` leaves with `root` begins with the tree of `first` leaves with `first_root`."""
    if not 0 <= first <= size:
        return False
    if first == 0:
        return not path and first_root == EMPTY
    if first == size:
        return not path and first_root == root
    steps = list(path)
    if first & (first - 1) == 0:
        steps.insert(0, first_root)
    if not steps:
        return False
    at, last = first - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, step)
        at, last = at >> 1, last >> 1
    return last == 0 and old == first_root and new == root
