"""The mark of how far the database had come, in the object store: a database below it is an old backup.

Authenticated by a key derived from the key-encryption key, for the replicas, and signed with the log's key, so that an
auditor can check it with public keys alone. Two people may accept an older database knowingly: what they accept is this
mark, by the sha256 of its text, and no other one. Does not notice what was lost between the last mark (written
by the clerk within a second of a change) and the backup; does not help where store and database are restored together.
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

    def above(self, other: "HighWaterMark") -> list[str]:
        """What of `other` is behind this mark, in words."""
        pairs = (
            ("generation", self.generation, other.generation),
            ("newest version", self.version, other.version),
            ("log size", self.log_size, other.log_size),
        )
        return [f"{name} {there} (it was {here})" for name, here, there in pairs if here > there]

    def raised(self, other: "HighWaterMark") -> "HighWaterMark":
        """The higher of both, part by part."""
        return HighWaterMark(
            max(self.generation, other.generation),
            max(self.version, other.version),
            max(self.log_size, other.log_size),
        )


NOTHING: Final = HighWaterMark(0, -1, 0)


def write(store: ObjectStore, keys: KeyRing, model: str, mark: HighWaterMark, signer: Signer | None = None) -> None:
    """Put the mark; its time makes its text one of a kind."""
    body = json.dumps(asdict(mark) | {"model": model, "at": utc_now().isoformat()}, sort_keys=True)
    made = {"mark": body, "tag": keys.tag(body.encode(), PURPOSE)}
    if signer is not None:
        made["signature"] = base64.b64encode(signer.sign_bytes(_signed(body))).decode()
    store.put(highwater_key(model), json.dumps(made).encode())


def shown(store: ObjectStore, model: str) -> dict[str, Any] | None:
    """For an auditor: the text of the mark and its signature."""
    try:
        found = json.loads(store.get(highwater_key(model)))
        return {"mark": found["mark"], "signature": found.get("signature")}
    except NotFound:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise IntegrityFailure("The high-water mark in the object store cannot be read.") from exc


def check_signature(given: Mapping[str, Any], keys: Sequence[bytes]) -> dict[str, Any]:
    """What a mark as `shown` says, where one of the raw public `keys` signed it; raises IntegrityFailure."""
    try:
        signature = base64.b64decode(given["signature"], validate=True)
        for key in keys:
            with suppress(InvalidSignature):
                Ed25519PublicKey.from_public_bytes(key).verify(signature, _signed(given["mark"]))
                return dict(json.loads(given["mark"]))
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise IntegrityFailure("The high-water mark cannot be read, or is not signed.") from exc
    raise IntegrityFailure("The high-water mark was altered, or is not signed by a key that you trust.")


def digest(store: ObjectStore, model: str) -> str:
    """Sha256 of the mark's text; "" where there is none."""
    found = shown(store, model)
    return sha256(found["mark"].encode()).hexdigest() if found else ""


def _signed(body: str) -> bytes:
    return b"lacuna high-water mark v1\n" + body.encode()


def read(store: ObjectStore, keys: KeyRing, model: str) -> HighWaterMark:
    """The mark, `NOTHING` where none was put; raises IntegrityFailure where it was altered or is another model's."""
    try:
        found = json.loads(store.get(highwater_key(model)))
        if not hmac.compare_digest(found["tag"], keys.tag(found["mark"].encode(), PURPOSE)):
            raise IntegrityFailure("The high-water mark in the object store was altered.")
        values = json.loads(found["mark"])
        if values.pop("model") != model:
            raise IntegrityFailure("The high-water mark in the object store is another model's.")
        values.pop("at", None)  # marks from before they were signed have none
        return HighWaterMark(**values)
    except NotFound:
        return NOTHING
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise IntegrityFailure("The high-water mark in the object store cannot be read.") from exc


def check(mark: HighWaterMark, present: HighWaterMark) -> None:
    """Raise StaleRestore where `present`, what the database says, is below `mark`."""
    if behind := mark.shortfalls(present):
        raise StaleRestore(
            f"The database is older than what was served before: {', '.join(behind)}. People erased since would be "
            "exposed, so nothing is served. Restore a newer backup (or replay the write-ahead log) and start again; or "
            "two admins accept the loss on record (lacuna restore).",
            behind=behind,
        )
