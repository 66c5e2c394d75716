"""The object store as the rest of the code sees it: keys and bytes. `factory.py` chooses the implementation."""

from collections.abc import Iterator
from typing import Protocol


class ObjectStore(Protocol):
    """Every method raises StoreUnavailable where the store cannot be reached."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object, or replace the one that is there."""

    def get(self, key: str) -> bytes:
        """Read an object. Raises NotFound."""

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""

    def delete(self, key: str) -> None:
        """Remove an object, where there is one."""

    def list(self, prefix: str) -> Iterator[str]:
        """All keys that begin with `prefix`, in order."""
