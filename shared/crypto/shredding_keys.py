"""Shredding keys: what a shredding destroys, in a small store outside the database and its write-ahead log.

Each sealed object of a ticket has a shredding key of its own, which wraps the object's wrapped data key once more. So
the database, its write-ahead log and its backups hold nothing that the key-encryption key could open by itself. When
the shredding key is destroyed, the object cannot be opened by whatever else is kept. The store has one small entry for
each object of a living ticket, and every entry can be destroyed alone: either a folder of files, which are overwritten
and removed, or keys of Vault's transit engine (vault.py), which Vault deletes.

A wrapped key that needs a shredding key begins with `shred:` and the key's name (docs/adr/0032-shredding-keys.md).
"""

import os
import secrets
import threading
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)

from shared.core.config import Settings
from shared.errors import IntegrityFailure, KeysUnavailable, NeedsResubmission

IN_VAULT: Final = "vault"  # the value of LACUNA_SHREDDING_KEYS that names no folder
SHRED_MARK: Final = b"shred:"
NAME_LENGTH: Final = 32  # hex digits
IDENTITY: Final = "identity"  # the file that tells one folder of keys from another
_IDENTITY_LENGTH: Final = 8
_KEY_LENGTH: Final = 32


class ShreddingKeys(Protocol):
    """Every method raises KeysUnavailable where the store cannot be reached, or access to it is refused."""

    def create(self) -> str:
        """A new key, which outlives a crash when this returns; its name, `NAME_LENGTH` hex digits."""

    def wrap(self, name: str, data: bytes) -> bytes:
        """`data`, encrypted under the key `name`."""

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """What `wrap` was given. Raises NeedsResubmission where the key is destroyed, IntegrityFailure where `wrapped`
        was altered."""

    def destroy(self, name: str) -> None:
        """Destroy the key for good; nothing happens where there is none. Safe to repeat after a crash."""


class ShreddableKey(NamedTuple):
    """A wrapped key that a shredding key wraps once more."""

    name: str
    wrapped: bytes

    def to_bytes(self) -> bytes:
        """As it is stored in the database."""
        return SHRED_MARK + self.name.encode() + b":" + self.wrapped


def parse(wrapped_key: bytes) -> ShreddableKey | None:
    """The parts of a wrapped key from the database; None where it needs no shredding key."""
    if not wrapped_key.startswith(SHRED_MARK):
        return None
    name, separator, wrapped = wrapped_key[len(SHRED_MARK) :].partition(b":")
    if not separator or len(name) != NAME_LENGTH or not set(name) <= set(b"0123456789abcdef"):
        raise IntegrityFailure("A wrapped key was altered, or is not ours.")
    return ShreddableKey(name.decode(), wrapped)


def destroyed(name: str) -> NeedsResubmission:
    """What is raised for a key that is not in its store."""
    return NeedsResubmission(
        f"The shredding key {name} is not in its store: it was destroyed with what it opened, or was lost with the "
        "store. Have the ticket filed again where it is still needed."
    )


class FolderKeys:
    """One file of 32 random bytes for each key (RFC 5649 wraps under it). Every process sees the same folder.

    A folder has to be set up once before it takes keys, so that a process whose folder is not mounted makes no keys in
    a place that nobody else sees, or that the next restart clears.

    A file is overwritten before it is removed, and both are flushed to the disk. Where the file system keeps earlier
    blocks (copy on write, snapshots) or the disk does (wear levelling), that is not enough by itself: encrypt the disk.

    The names begin with the identity of the folder, so that another folder, mounted by mistake, is not taken for one
    whose keys were destroyed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._counting, self._flushing = threading.Lock(), threading.Lock()
        self._changed = self._flushed = 0  # changes of the folder, and those that are on the disk for certain

    def set_up(self) -> None:
        """Make the folder ready for keys; nothing happens where it is. Raises KeysUnavailable."""
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self._root / f"{IDENTITY}.{secrets.token_hex(4)}"
            self._write(draft, secrets.token_hex(_IDENTITY_LENGTH // 2).encode())
            try:
                os.link(draft, self._root / IDENTITY)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
                self._flush_folder()
        except OSError as exc:
            raise self._unavailable("written", exc) from exc

    def create(self) -> str:
        """See ShreddingKeys."""
        try:
            name = self._identity() + secrets.token_hex((NAME_LENGTH - _IDENTITY_LENGTH) // 2)
            self._write(self._root / name, os.urandom(_KEY_LENGTH))
        except OSError as exc:
            raise self._unavailable("written", exc) from exc
        return name

    def wrap(self, name: str, data: bytes) -> bytes:
        """See ShreddingKeys."""
        return aes_key_wrap_with_padding(self._read(name), data)

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """See ShreddingKeys."""
        try:
            return aes_key_unwrap_with_padding(self._read(name), wrapped)
        except (InvalidUnwrap, ValueError) as exc:
            raise IntegrityFailure("A wrapped key was altered, or is not ours.") from exc

    def destroy(self, name: str) -> None:
        """See ShreddingKeys."""
        path = self._root / name
        try:
            try:
                with path.open("r+b") as file:
                    file.write(bytes(_KEY_LENGTH))
                    file.flush()
                    os.fsync(file.fileno())
            except FileNotFoundError:
                self._check_identity(name)
                return
            path.unlink(missing_ok=True)
            self._flush_folder()
        except OSError as exc:
            raise self._unavailable("written", exc) from exc

    def _read(self, name: str) -> bytes:
        try:
            key = (self._root / name).read_bytes()
        except FileNotFoundError as exc:
            self._check_identity(name)
            raise destroyed(name) from exc
        except OSError as exc:
            raise self._unavailable("read", exc) from exc
        if key == bytes(_KEY_LENGTH):  # overwritten, and not removed yet
            raise destroyed(name)
        return key

    def _check_identity(self, name: str) -> None:
        """Raise KeysUnavailable unless the key `name`, which is missing here, was made in this folder."""
        try:
            identity = self._identity()
        except OSError as exc:
            raise self._unavailable("read", exc) from exc
        if not name.startswith(identity) or not identity:
            raise KeysUnavailable(
                f"The shredding key {name} is of another folder than {self._root}: LACUNA_SHREDDING_KEYS has to name "
                "the same folder in every process."
            )

    def _identity(self) -> str:
        """The first digits of every name here. Raises KeysUnavailable where nobody has set the folder up."""
        try:
            return (self._root / IDENTITY).read_text()
        except FileNotFoundError as exc:
            raise KeysUnavailable(
                f"The folder of shredding keys {self._root} was not set up: mount the one that "
                "`python -m services.request.bootstrap` has set up, or correct LACUNA_SHREDDING_KEYS."
            ) from exc

    def _write(self, path: Path, content: bytes) -> None:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._flush_folder()

    def _flush_folder(self) -> None:
        """Returns when the change that was made before is on the disk. Threads that wait share the next flush."""
        with self._counting:
            self._changed += 1
            own = self._changed
        with self._flushing:
            if self._flushed >= own:
                return
            covered = self._changed
            folder = os.open(self._root, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self._flushed = covered

    def _unavailable(self, verb: str, exc: OSError) -> KeysUnavailable:
        return KeysUnavailable(f"The folder of shredding keys {self._root} cannot be {verb}: {exc.strerror}.")


def folder_of(settings: Settings) -> FolderKeys | None:
    """The folder of the settings; None where the keys are in Vault."""
    if settings.shredding_keys == IN_VAULT:
        return None
    return FolderKeys(Path(settings.shredding_keys or settings.data / "shredding-keys"))
