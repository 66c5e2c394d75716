"""The object store as the house sees it: keys and bytes. Knows no implementation (see `opening.py`)."""

from collections.abc import Iterator
from typing import Protocol


class ObjectStore(Protocol):
    """Every method raises StoreUnavailable where the store cannot be reached."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object, replacing what was there."""

    def get(self, key: str) -> bytes:
        """Read an object; raises NotFound."""

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens where there is none."""

    def list(self, prefix: str) -> Iterator[str]:
        """All keys that begin with `prefix`, in order."""
