"""An object store in a folder, for tests and for trying things without a server."""

import os
from collections.abc import Iterator
from pathlib import Path

from shared.errors import BadInput, NotFound, StoreUnavailable


class LocalStore:
    """Objects are files; writes are atomic."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes) -> None:
        """See Store."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            half = path.with_name(f"{path.name}.{os.getpid()}.half")
            half.write_bytes(data)
            half.replace(path)
        except OSError as exc:
            raise StoreUnavailable(f"The object folder cannot be written: {exc}.") from exc

    def get(self, key: str) -> bytes:
        """See Store."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError as exc:
            raise NotFound(f"There is no object {key}.") from exc
        except OSError as exc:
            raise StoreUnavailable(f"The object folder cannot be read: {exc}.") from exc

    def exists(self, key: str) -> bool:
        """See Store."""
        return self._path(key).is_file()

    def delete(self, key: str) -> None:
        """See Store."""
        self._path(key).unlink(missing_ok=True)

    def list(self, prefix: str) -> Iterator[str]:
        """See Store."""
        if not self._root.is_dir():
            return
        keys = (str(path.relative_to(self._root)) for path in self._root.rglob("*") if path.is_file())
        yield from sorted(key for key in keys if key.startswith(prefix))

    def _path(self, key: str) -> Path:
        if key.startswith("/") or ".." in key.split("/"):
            raise BadInput(f"{key} is no object key.")
        return self._root / key
