"""The mark of how far the database had come, in the object store: a database below it is an old backup.

Authenticated by a key derived from the key-encryption key. Does not notice what was lost between the last mark (written
by the clerk within a second of a change) and the backup; does not help where store and database are restored together.
"""

import hmac
import json
from dataclasses import asdict, dataclass
from typing import Final

from shared.contracts import highwater_key
from shared.crypto import KeyRing
from shared.errors import IntegrityFailure, NotFound, StaleRestore
from shared.store.base import Store

PURPOSE: Final = "highwater v1"


@dataclass(frozen=True)
class Mark:
    """Generation of the desired state, number of the newest version, size of the log; each only grows."""

    generation: int
    version: int
    log_size: int

    def above(self, other: "Mark") -> list[str]:
        """What of `other` is behind this mark, in words."""
        pairs = (
            ("generation", self.generation, other.generation),
            ("newest version", self.version, other.version),
            ("log size", self.log_size, other.log_size),
        )
        return [f"{name} {there} (it was {here})" for name, here, there in pairs if here > there]

    def raised(self, other: "Mark") -> "Mark":
        """The higher of both, part by part."""
        return Mark(
            max(self.generation, other.generation),
            max(self.version, other.version),
            max(self.log_size, other.log_size),
        )


NOTHING: Final = Mark(0, -1, 0)


def write(store: Store, keys: KeyRing, model: str, mark: Mark) -> None:
    """Put the mark."""
    body = json.dumps(asdict(mark) | {"model": model}, sort_keys=True)
    tag = keys.tag(body.encode(), PURPOSE)
    store.put(highwater_key(model), json.dumps({"mark": body, "tag": tag}).encode())


def read(store: Store, keys: KeyRing, model: str) -> Mark:
    """The mark, `NOTHING` where none was put; raises IntegrityFailure where it was altered or is another model's."""
    try:
        found = json.loads(store.get(highwater_key(model)))
        if not hmac.compare_digest(found["tag"], keys.tag(found["mark"].encode(), PURPOSE)):
            raise IntegrityFailure("The high-water mark in the object store was altered.")
        values = json.loads(found["mark"])
        if values.pop("model") != model:
            raise IntegrityFailure("The high-water mark in the object store is another model's.")
        return Mark(**values)
    except NotFound:
        return NOTHING
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise IntegrityFailure("The high-water mark in the object store cannot be read.") from exc


def check(mark: Mark, present: Mark) -> None:
    """Raise StaleRestore where `present`, what the database says, is below `mark`."""
    if behind := mark.above(present):
        raise StaleRestore(
            f"The database is older than what was served before: {', '.join(behind)}. People erased since would be "
            "exposed, so nothing is served. Restore a newer backup (or replay the write-ahead log) and start again.",
            behind=behind,
        )
