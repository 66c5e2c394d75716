"""One process at a time makes the profile of a model in a folder. The lock ends with the process, however it ends."""

import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import Unavailable

logger = logging.getLogger(__name__)


@contextmanager
def alone(folder: Path, name: str, maker: str) -> Iterator[None]:
    """Hold the lock of the profile `name` in `folder`; its file says who holds it: `maker` and the process.

    Raises Unavailable where another process holds it. A file system without locks is only noted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{name}.lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            file.seek(0)
            raise Unavailable(
                f"{file.read() or 'Another process'} is making the profile of this model in {folder}: wait until it "
                "has ended. The finished profile is then used, or what is finished of it."
            ) from exc
        except OSError as exc:
            logger.warning("%s cannot be locked (%s): let one process alone make this profile", folder, exc.strerror)
        file.truncate(0)
        file.write(f"{maker} (process {os.getpid()} on {socket.gethostname()})")
        file.flush()
        yield
