"""One process at a time makes the profile of a model in a folder. The lock ends with the process, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import BadInput


@contextmanager
def alone(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock of the profile `name` in `folder`. Raises BadInput where another process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise BadInput(
                f"Another process is making the profile of this model in {folder}: wait until it has ended. "
                "The same command then shows the profile, or goes on where the other one stopped."
            ) from exc
        yield
