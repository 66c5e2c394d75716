"""The raw material of a ticket as bytes: names, facts and photographs in one JSON document."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

from shared.domain.photos import open_photo
from shared.domain.subjects import Fact, Subject
from shared.errors import BadInput, IntegrityFailure, TooLarge


def pack_subject(names: Sequence[str], photos: Sequence[bytes], facts: Sequence[Fact]) -> bytes:
    """A person as bytes. `photos` are PNG, as `normalize_photo` writes them."""
    return json.dumps(
        {
            "schema": 1,
            "names": list(names),
            "photos": [base64.b64encode(photo).decode() for photo in photos],
            "facts": [{"attribute": f.attribute, "value": f.value, "aliases": list(f.aliases)} for f in facts],
        },
        ensure_ascii=False,
    ).encode()


def load_subject(blob: bytes) -> Subject:
    """The person, back from bytes. Raises IntegrityFailure where `pack_subject` did not write them."""
    try:
        values = json.loads(blob)
        return Subject(
            names=tuple(values["names"]),
            photos=tuple(open_photo(base64.b64decode(photo)) for photo in values["photos"]),
            facts=tuple(Fact(f["attribute"], f["value"], tuple(f["aliases"])) for f in values["facts"]),
        )
    except (ValueError, KeyError, TypeError, BadInput, TooLarge) as exc:
        raise IntegrityFailure("The raw material of a ticket cannot be read.") from exc


@dataclass(frozen=True)
class Material:
    """What `pack_subject` was given: names, photographs as PNG, facts."""

    names: list[str]
    photos: list[bytes]
    facts: list[Fact]


def unpack_material(blob: bytes) -> Material:
    """What `pack_subject` was given, back from its bytes. Raises IntegrityFailure."""
    try:
        values = json.loads(blob)
        facts = [Fact(f["attribute"], f["value"], tuple(f["aliases"])) for f in values["facts"]]
        return Material(list(values["names"]), [base64.b64decode(photo) for photo in values["photos"]], facts)
    except (ValueError, KeyError, TypeError) as exc:
        raise IntegrityFailure("The raw material of a ticket cannot be read.") from exc
