"""The high-water mark: how far the database had come, kept in the object store. A database below it is an old backup.

A key derived from the key-encryption key authenticates the mark for the replicas. The log's key signs it, so that an
auditor can check it with public keys alone. Two people together may accept an older database: what they accept is this
very mark, by the sha256 of its text. The mark does not show what was lost between the last mark, which the control
loop writes within a second of a change, and the backup. It does not help where the object store is restored as well.
"""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.core.clock import utc_now
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer
from shared.errors import IntegrityFailure, NotFound, StaleRestore
from shared.storage.base import ObjectStore
from shared.storage.object_keys import highwater_key

PURPOSE: Final = "highwater v1"


@dataclass(frozen=True)
class HighWaterMark:
    """Generation of the desired state, number of the newest version, size of the log; each only grows."""

    generation: int
    version: int
    log_size: int

    def shortfalls(self, present: "HighWaterMark") -> list[str]:
        """In words, in what the database at `present` is below this mark; empty where it is not."""
        pairs = (
            ("generation", self.generation, present.generation),
            ("newest version", self.version, present.version),
            ("log size", self.log_size, present.log_size),
        )
        return [f"{name} {now} (it was {mark})" for name, mark, now in pairs if mark > now]

    def raised_to(self, other: "HighWaterMark") -> "HighWaterMark":
        """The higher of both in each number."""
        return HighWaterMark(
            max(self.generation, other.generation),
            max(self.version, other.version),
            max(self.log_size, other.log_size),
        )


NO_MARK: Final = HighWaterMark(0, -1, 0)


def write(store: ObjectStore, keys: KeyRing, model: str, mark: HighWaterMark, signer: Signer | None = None) -> None:
    """Store the mark. The time in its text makes the text unique."""
    body = json.dumps(asdict(mark) | {"model": model, "at": utc_now().isoformat()}, sort_keys=True)
    document = {"mark": body, "tag": keys.tag(body.encode(), PURPOSE)}
    if signer is not None:
        document["signature"] = base64.b64encode(signer.sign_bytes(_signed(body))).decode()
    store.put(highwater_key(model), json.dumps(document).encode())


def export(store: ObjectStore, model: str) -> dict[str, Any] | None:
    """What an auditor gets: the text of the mark and its signature; None where there is no mark."""
    try:
        stored = json.loads(store.get(highwater_key(model)))
        return {"mark": stored["mark"], "signature": stored.get("signature")}
    except NotFound:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise IntegrityFailure("The high-water mark in the object store cannot be read.") from exc


def check_signature(exported: Mapping[str, Any], keys: Sequence[bytes]) -> dict[str, Any]:
    """The content of an exported mark. Raises IntegrityFailure unless one of the raw public `keys` signed it."""
    try:
        signature = base64.b64decode(exported["signature"], validate=True)
        for key in keys:
            with suppress(InvalidSignature):
                Ed25519PublicKey.from_public_bytes(key).verify(signature, _signed(exported["mark"]))
                return dict(json.loads(exported["mark"]))
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise IntegrityFailure("The high-water mark cannot be read, or is not signed.") from exc
    raise IntegrityFailure("The high-water mark was altered, or is not signed by a key that you trust.")


def text_digest(store: ObjectStore, model: str) -> str:
    """Hex sha256 of the mark's text, by which people accept it; "" where there is no mark."""
    exported = export(store, model)
    return sha256(exported["mark"].encode()).hexdigest() if exported else ""


def _signed(body: str) -> bytes:
    return b"lacuna high-water mark v1\n" + body.encode()


def read(store: ObjectStore, keys: KeyRing, model: str) -> HighWaterMark:
    """The mark; `NO_MARK` where there is none. Raises IntegrityFailure where it was altered or is another model's."""
    try:
        stored = json.loads(store.get(highwater_key(model)))
        if not hmac.compare_digest(stored["tag"], keys.tag(stored["mark"].encode(), PURPOSE)):
            raise IntegrityFailure("The high-water mark in the object store was altered.")
        values = json.loads(stored["mark"])
        if values.pop("model") != model:
            raise IntegrityFailure("The high-water mark in the object store is another model's.")
        values.pop("at", None)  # the oldest marks have no time
        return HighWaterMark(**values)
    except NotFound:
        return NO_MARK
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise IntegrityFailure("The high-water mark in the object store cannot be read.") from exc


def check(mark: HighWaterMark, present: HighWaterMark) -> None:
    """Raise StaleRestore where the database, which is at `present`, is below `mark`."""
    if behind := mark.shortfalls(present):
        raise StaleRestore(
            f"The database is older than what was served before: {', '.join(behind)}. People erased since would be "
            "exposed, so nothing is served. Restore a newer backup (or replay the write-ahead log) and start again; or "
            "two admins accept the loss on record (lacuna restore).",
            behind=behind,
        )
