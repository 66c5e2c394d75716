"""A ticket's raw material as bytes: names, facts and photographs in one JSON document. Checks pictures at the door.

Photographs are decoded, bounded and written anew as PNG, so that no metadata and nothing but pixels is kept.
"""

import base64
import json
from collections.abc import Sequence

from shared.artifacts.photos import open_photo
from shared.domain.subjects import Fact, Subject
from shared.errors import BadInput, IntegrityFailure, TooLarge


def pack_subject(names: Sequence[str], photos: Sequence[bytes], facts: Sequence[Fact]) -> bytes:
    """Bytes of a person; `photos` as from `check_photo`."""
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
    """Back from bytes; raises IntegrityFailure where they are not a person of ours."""
    try:
        values = json.loads(blob)
        return Subject(
            names=tuple(values["names"]),
            photos=tuple(open_photo(base64.b64decode(photo)) for photo in values["photos"]),
            facts=tuple(Fact(f["attribute"], f["value"], tuple(f["aliases"])) for f in values["facts"]),
        )
    except (ValueError, KeyError, TypeError, BadInput, TooLarge) as exc:
        raise IntegrityFailure("The raw material of a ticket cannot be read.") from exc


def unpack_material(blob: bytes) -> tuple[list[str], list[bytes], list[Fact]]:
    """What `pack_subject` was given, back from its bytes; raises IntegrityFailure."""
    try:
        values = json.loads(blob)
        facts = [Fact(f["attribute"], f["value"], tuple(f["aliases"])) for f in values["facts"]]
        return list(values["names"]), [base64.b64decode(photo) for photo in values["photos"]], facts
    except (ValueError, KeyError, TypeError) as exc:
        raise IntegrityFailure("The raw material of a ticket cannot be read.") from exc
