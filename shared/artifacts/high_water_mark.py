"""The high-water mark: how far the database had come, kept in the object store. A database below it is an old backup.

A key derived from the key-encryption key authenticates the mark for the replicas. The log's key signs it, so that an
auditor can check it with public keys alone.

Beside the mark, which is replaced, each publication and promotion leaves a companion that is written once and never
replaced. A mark that is missing although something was published, or that is below its companions, refuses like an old
database does. Two people together may accept what was lost: what they accept is exactly what they found in the store,
by its sha256. The mark that is written then has the next epoch, so that no mark from before is taken for the newest.

This does not show what was lost between the last mark, which the control loop writes within a second of a change, and
the backup. It does not help where the whole object store is restored as well, unless a process still remembers more:
docs/threat-model.md names what remains.
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
from shared.storage.object_keys import highwater_companion_key, highwater_companions, highwater_key

PURPOSE: Final = "highwater v1"
WAY_OUT: Final = (
    "People erased since would be exposed, so nothing is served. Restore a newer backup (or replay the write-ahead "
    "log) and start again; or two admins accept the loss on record (lacuna restore)."
)
MISSING: Final = (
    "The high-water mark is missing from the object store although something was published, so that nobody can tell "
    "whether the database is the newest, and nothing is served. Put {key} back from a copy of the bucket; or two "
    "admins, who made sure that the database is the newest, accept it on record (lacuna restore)."
)
REPLACED: Final = (
    "The high-water mark in the object store was replaced by an older one: {behind}. Nobody can tell whether the "
    "database is the newest, and nothing is served. Put the newest {key} back from a copy of the bucket; or two "
    "admins, who made sure that the database is the newest, accept it on record (lacuna restore)."
)


@dataclass(frozen=True)
class HighWaterMark:
    """Generation of the desired state, number of the newest version, size of the log; each only grows.

    `epoch` counts how often two people accepted an older database. Marks of a later epoch replace those before.
    """

    generation: int
    version: int
    log_size: int
    epoch: int = 0

    def numbers(self) -> dict[str, int]:
        """How far the database had come, as it is recorded where two people accept an older one."""
        return {"generation": self.generation, "version": self.version, "log_size": self.log_size}

    def shortfalls(self, present: "HighWaterMark") -> list[str]:
        """In words, in what the database at `present` is below this mark; empty where it is not."""
        names = {"generation": "generation", "version": "newest version", "log_size": "log size"}
        there, here = self.numbers(), present.numbers()
        return [f"{names[key]} {here[key]} (it was {there[key]})" for key in names if there[key] > here[key]]

    def raised_to(self, other: "HighWaterMark") -> "HighWaterMark":
        """The higher of both in each number; the one of the later epoch where the epochs differ."""
        if self.epoch != other.epoch:
            return max(self, other, key=lambda mark: mark.epoch)
        return HighWaterMark(
            max(self.generation, other.generation),
            max(self.version, other.version),
            max(self.log_size, other.log_size),
            self.epoch,
        )

    def companion(self, model: str) -> str:
        """The key of the companion of this mark."""
        return highwater_companion_key(model, self.epoch, self.generation, self.version)


NO_MARK: Final = HighWaterMark(0, -1, 0)


@dataclass(frozen=True)
class StoredMark:
    """What the object store says: the mark with its text (None and "" where there is none), and its companions."""

    key: str
    mark: HighWaterMark | None
    text: str
    newest: HighWaterMark | None  # of the companions
    newest_key: str

    def highest(self) -> HighWaterMark:
        """The mark, or what its companions say beyond it."""
        known = [mark for mark in (self.mark, self.newest) if mark is not None]
        return known[0].raised_to(known[-1]) if known else NO_MARK

    def digest(self) -> str:
        """Hex sha256 of all this, by which people accept it."""
        return sha256(json.dumps([self.text, self.newest_key]).encode()).hexdigest()

    def lost(self, known: HighWaterMark) -> bool:
        """Whether a process that wrote or saw the mark `known` finds less than that here."""
        highest = self.highest()
        return (
            self.mark is None
            or highest.epoch < known.epoch
            or (highest.epoch == known.epoch and bool(known.shortfalls(highest)))
        )

    def check(self, present: HighWaterMark) -> None:
        """Raise StaleRestore where the database, which is at `present`, is below the mark, or the mark is not whole.

        An installation that has published nothing may be without a mark: its control loop writes the first one.
        """
        if self.mark is None:
            if self.newest is not None or present.generation > 0 or present.version >= 0:
                raise StaleRestore(MISSING.format(key=self.key), behind=["no mark"])
            return
        if behind := self.highest().shortfalls(present):
            raise StaleRestore(
                f"The database is older than what was served before: {', '.join(behind)}. {WAY_OUT}", behind=behind
            )
        if self.newest is not None and self.newest.epoch > self.mark.epoch:
            lowered = [f"epoch {self.mark.epoch} (it was {self.newest.epoch})"]
        else:
            lowered = self.highest().shortfalls(self.mark)
        if lowered:
            raise StaleRestore(REPLACED.format(behind=", ".join(lowered), key=self.key), behind=lowered)


def write(store: ObjectStore, keys: KeyRing, model: str, mark: HighWaterMark, signer: Signer | None = None) -> None:
    """Store the mark, then its companion where there is none yet. The time in its text makes the text unique.

    A crash between both leaves a mark without its companion, which the next start of the control loop adds.
    """
    body = json.dumps(asdict(mark) | {"model": model, "at": utc_now().isoformat()}, sort_keys=True)
    document = {"mark": body, "tag": keys.tag(body.encode(), PURPOSE)}
    if signer is not None:
        document["signature"] = base64.b64encode(signer.sign_bytes(_signed(body))).decode()
    content = json.dumps(document).encode()
    store.put(highwater_key(model), content)
    companion = mark.companion(model)
    if not store.exists(companion):
        store.put(companion, content)


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


def _signed(body: str) -> bytes:
    return b"lacuna high-water mark v1\n" + body.encode()


def read(store: ObjectStore, keys: KeyRing, model: str) -> StoredMark:
    """What stands in the object store. Raises IntegrityFailure where it was altered or is another model's.

    The companions are listed before the mark is read, and the mark is written before its companion: a control loop
    that writes meanwhile does not look like an older mark.
    """
    key = highwater_key(model)
    newest_key = max(store.list(highwater_companions(model)), default="")
    newest = _read(store, keys, model, newest_key)[1] if newest_key else None
    if newest is not None and newest_key != newest.companion(model):
        raise IntegrityFailure(f"The companion {newest_key} of the high-water mark was altered.")
    text, mark = _read(store, keys, model, key)
    return StoredMark(key, mark, text, newest, newest_key)


def _read(store: ObjectStore, keys: KeyRing, model: str, key: str) -> tuple[str, HighWaterMark | None]:
    """The text and the mark of one object; "" and None where there is none."""
    try:
        stored = json.loads(store.get(key))
        if not hmac.compare_digest(stored["tag"], keys.tag(stored["mark"].encode(), PURPOSE)):
            raise IntegrityFailure("The high-water mark in the object store was altered.")
        values = json.loads(stored["mark"])
        if values.pop("model") != model:
            raise IntegrityFailure("The high-water mark in the object store is another model's.")
        values.pop("at", None)  # the oldest marks have no time
        return stored["mark"], HighWaterMark(**values)
    except NotFound:
        return "", None
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise IntegrityFailure("The high-water mark in the object store cannot be read.") from exc
