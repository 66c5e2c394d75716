"""Signed checkpoints of the log (C2SP signed-note, tlog-checkpoint) and the public keys that check them.

    lacuna.log            origin: the name of the log and of its key
    1234                  number of leaves
    ...=                  root, base64

    — lacuna.log ...=     Ed25519 over the lines above, base64 of four bytes of key id and the signature

A public key is pinned as one line `name+id+base64` (the vkey of signed-note). A checkpoint does not say when it was
signed.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.crypto.signing import Signer
from shared.errors import BadInput, IntegrityFailure
from shared.transparency.merkle_tree import HASH

ED25519: Final = b"\x01"
_DASH: Final = "— "
_MAX_CHARACTERS: Final = 100_000  # of a note


@dataclass(frozen=True)
class Checkpoint:
    """The log as it was at `size` leaves."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True)
class PublicKey:
    """One key of a log, by its name."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        """Four bytes: SHA-256 of name, newline, algorithm, key."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.raw).digest()[:4]

    def line(self) -> str:
        """The line by which the key is pinned."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.raw).decode()}"

    @classmethod
    def read(cls, line: str) -> "PublicKey":
        """From such a line. Raises BadInput."""
        try:
            name, number, text = line.strip().split("+", 2)
            data = base64.b64decode(text, validate=True)
            key = cls(name, data[1:])
            Ed25519PublicKey.from_public_bytes(key.raw)
            if name and data[:1] == ED25519 and key.id.hex() == number:
                return key
        except ValueError as exc:
            raise BadInput("A public key is written as name+id+base64 (one line of log-keys.txt).") from exc
        raise BadInput("A public key does not match its own id: it was copied wrongly.")


def read_keys(text: str) -> list[PublicKey]:
    """All keys of `text`, one on each line or separated by commas. Lines that begin with # are comments."""
    lines = (part.strip() for line in text.splitlines() for part in line.split(","))
    return [PublicKey.read(line) for line in lines if line and not line.startswith("#")]


def sign(checkpoint: Checkpoint, signer: Signer) -> str:
    """The signed note. The key has the name of the log."""
    body = checkpoint.body()
    key = PublicKey(checkpoint.origin, signer.public)
    signature = base64.b64encode(key.id + signer.sign_bytes(body.encode())).decode()
    return f"{body}\n{_DASH}{key.name} {signature}\n"


def read(note: str, keys: Sequence[PublicKey]) -> Checkpoint:
    """The checkpoint in the note. Raises IntegrityFailure unless one of `keys` signed exactly this note."""
    if len(note) > _MAX_CHARACTERS:
        raise IntegrityFailure("The checkpoint is too long.")
    body, gap, signatures = note.rpartition("\n\n")
    lines = body.split("\n")
    try:
        if not gap or len(lines) < 3:
            raise ValueError(note)
        checkpoint = Checkpoint(lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True))
        if str(checkpoint.size) != lines[1] or checkpoint.size < 0 or len(checkpoint.root) != HASH:
            raise ValueError(note)
    except ValueError as exc:
        raise IntegrityFailure("The checkpoint cannot be read.") from exc
    for line in signatures.splitlines():
        name, _, text = line.removeprefix(_DASH).rpartition(" ")
        for key in keys:
            if name == key.name == checkpoint.origin and _signed(key, text, f"{body}\n".encode()):
                return checkpoint
    raise IntegrityFailure("The checkpoint is not signed by a key that is trusted here.")


def _signed(key: PublicKey, text: str, body: bytes) -> bool:
    try:
        data = base64.b64decode(text, validate=True)
        Ed25519PublicKey.from_public_bytes(key.raw).verify(data[4:], body)
    except (InvalidSignature, ValueError):
        return False
    return data[:4] == key.id
