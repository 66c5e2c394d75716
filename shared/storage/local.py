"""An object store in a folder, for tests and for work without a server."""

import os
from collections.abc import Iterator
from pathlib import Path

from shared.errors import BadInput, NotFound, StoreUnavailable


class LocalStore:
    """Each object is a file, written atomically."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes) -> None:
        """See ObjectStore."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f"{path.name}.{os.getpid()}.half")
            unfinished.write_bytes(data)
            unfinished.replace(path)
        except OSError as exc:
            raise StoreUnavailable(f"The object folder cannot be written: {exc}.") from exc

    def get(self, key: str) -> bytes:
        """See ObjectStore."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError as exc:
            raise NotFound(f"There is no object {key}.") from exc
        except OSError as exc:
            raise StoreUnavailable(f"The object folder cannot be read: {exc}.") from exc

    def exists(self, key: str) -> bool:
        """See ObjectStore."""
        return self._path(key).is_file()

    def delete(self, key: str) -> None:
        """See ObjectStore."""
        self._path(key).unlink(missing_ok=True)

    def list(self, prefix: str) -> Iterator[str]:
        """See ObjectStore."""
        if not self._root.is_dir():
            return
        keys = (str(path.relative_to(self._root)) for path in self._root.rglob("*") if path.is_file())
        yield from sorted(key for key in keys if key.startswith(prefix))

    def _path(self, key: str) -> Path:
        if key.startswith("/") or ".." in key.split("/"):
            raise BadInput(f"{key} is not an object key.")
        return self._root / key
