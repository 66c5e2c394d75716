"""The Merkle tree of RFC 6962, section 2.1: hashes, roots and proofs.

`Frontier` keeps log2(n) hashes and is enough to check a whole log once (compact range). `Tree` keeps every complete
subtree, 64 bytes a leaf, and answers any root or proof in O(log n).
"""

import hashlib
from collections.abc import Iterable
from typing import Final

HASH: Final = 32  # bytes
EMPTY: Final = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """SHA-256 of 0x00 and the leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 and both children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right border of a growing tree: its complete subtrees, largest first. Appending costs O(1) on average."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add a leaf's hash."""
        carried, full = leaf, self.size
        while full & 1:
            carried = node_hash(self._peaks.pop(), carried)
            full >>= 1
        self._peaks.append(carried)
        self.size += 1

    def root(self) -> bytes:
        """The tree hash of all leaves so far."""
        return _fold(self._peaks)


class Tree:
    """All leaves' hashes with every complete subtree above them."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[bytearray] = [bytearray()]
        for leaf in leaves:
            self.append(leaf)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self._levels[0]) // HASH

    def append(self, leaf: bytes) -> None:
        """Add a leaf's hash; O(1) on average."""
        self._levels[0] += leaf
        height, index = 0, self.size - 1
        while index & 1:
            level = self._levels[height]
            node = node_hash(bytes(level[-2 * HASH : -HASH]), bytes(level[-HASH:]))
            height, index = height + 1, index >> 1
            if height == len(self._levels):
                self._levels.append(bytearray())
            self._levels[height] += node

    def leaf(self, index: int) -> bytes:
        """The hash of leaf `index`."""
        return self._node(index, index + 1)

    def root(self, size: int | None = None) -> bytes:
        """MTH(D[0:size]); of all leaves where no size is given. Raises ValueError for a size that is not reached."""
        size = self._within(self.size if size is None else size)
        return self._node(0, size) if size else EMPTY

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """PATH(index, D[0:size]), section 2.1.1. Raises ValueError for an index outside."""
        self._within(size)
        if not 0 <= index < size:
            raise ValueError(f"no leaf {index} in a tree of {size}")
        path: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._node(middle, end))
                end = middle
            else:
                path.append(self._node(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, first: int, size: int) -> list[bytes]:
        """PROOF(first, D[0:size]), section 2.1.2. Raises ValueError unless 0 < first <= size."""
        self._within(size)
        if not 0 < first <= size:
            raise ValueError(f"no proof from {first} to {size}")
        path: list[bytes] = []
        start, end, whole = 0, size, True
        while first != end:
            middle = start + _split(end - start)
            if first <= middle:
                path.append(self._node(middle, end))
                end = middle
            else:
                path.append(self._node(start, middle))
                start, whole = middle, False
        if not whole:
            path.append(self._node(start, end))
        return path[::-1]

    def _within(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise ValueError(f"the tree has {self.size} leaves, not {size}")
        return size

    def _node(self, start: int, end: int) -> bytes:
        """Hash of leaves [start, end), where `start` is a multiple of the power of two at or above the width."""
        width = end - start
        if width & (width - 1) == 0:
            height = width.bit_length() - 1
            at = (start >> height) * HASH
            return bytes(self._levels[height][at : at + HASH])
        middle = start + _split(width)
        return node_hash(self._node(start, middle), self._node(middle, end))


def _split(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << ((width - 1).bit_length() - 1)


def _fold(peaks: list[bytes]) -> bytes:
    if not peaks:
        return EMPTY
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root
