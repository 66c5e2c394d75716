"""The sign-ins of this person, by the address of the service: a file that nobody else may read.

A token that is about to expire is refreshed when it is needed, by one command at a time: most providers take a refresh
token once.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from shared.errors import BadInput

MARGIN_S: Final = 30.0  # of the time that an access token is valid
FILE: Final = "logins.json"


@dataclass(frozen=True)
class Login:
    """A sign-in at one service. The members are those of `Provider` and `Tokens` (device_flow.py)."""

    provider: dict[str, str]
    tokens: dict[str, Any]


def folder() -> Path:
    """Where the file is: `lacuna` in the person's folder of settings (XDG_CONFIG_HOME)."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "lacuna"


def find(url: str) -> Login | None:
    """The sign-in at the service, if there is one."""
    entry = _read().get(_place(url))
    return Login(entry["provider"], entry["tokens"]) if entry else None


def keep(url: str, login: Login | None) -> None:
    """Keep the sign-in at the service, in place of the one before; with None, forget it."""
    with _locked():
        _keep(url, login)


def access_token(url: str, *, refused: str = "") -> str | None:
    """The access token for the service, refreshed where it is about to expire or is the one that was `refused`.

    None without a sign-in. Raises Unauthorized where the provider refreshes it no more, Unavailable where it is away.
    """
    login = find(url)
    if login is None:
        return None
    if not _is_old(login, refused):
        return str(login.tokens["access"])
    from services.cli import device_flow  # noqa: PLC0415 - a tenth of a second that most commands do not spend

    with _locked():
        login = find(url)  # another command may have refreshed it meanwhile
        if login is None:
            return None
        if _is_old(login, refused):
            provider, tokens = device_flow.Provider(**login.provider), device_flow.Tokens(**login.tokens)
            login = Login(login.provider, asdict(device_flow.refresh(provider, tokens)))
            _keep(url, login)
        return str(login.tokens["access"])


def _is_old(login: Login, refused: str) -> bool:
    return bool(login.tokens["access"] == refused or login.tokens["expires_at"] - MARGIN_S < time.time())


def _place(url: str) -> str:
    return url.rstrip("/").lower()


def _read() -> dict[str, Any]:
    path = folder() / FILE
    try:
        if path.stat().st_mode & 0o077:
            raise BadInput(f"{path} can be read by others. Run `chmod 600 {path}`, and `lacuna login` again.")
        known = json.loads(path.read_text())
        return {url: entry for url, entry in known.items() if {"provider", "tokens"} <= entry.keys()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as exc:
        raise BadInput(f"{path} cannot be used. Delete it, and run `lacuna login` again.") from exc


def _keep(url: str, login: Login | None) -> None:
    known = _read() | {_place(url): asdict(login) if login else None}
    path = folder() / FILE
    new = path.with_suffix(f".{os.getpid()}")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({place: entry for place, entry in known.items() if entry}, file, indent=1)
    new.replace(path)  # whole, for whoever reads it


@contextmanager
def _locked() -> Iterator[None]:
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(place / f"{FILE}.lock", os.O_WRONLY | os.O_CREAT, 0o600)
    except OSError as exc:
        raise BadInput(f"{place} cannot be written: {exc.strerror}.") from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
