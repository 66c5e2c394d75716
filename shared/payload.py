"""A ticket's raw material as bytes: names, facts and photographs in one JSON document. Checks pictures at the door.

Photographs are decoded, bounded and written anew as PNG, so that no metadata and nothing but pixels is kept.
"""

import base64
import binascii
import io
import json
import re
import warnings
from collections.abc import Sequence
from typing import Final

from PIL import Image, UnidentifiedImageError

from shared.errors import BadInput, IntegrityFailure, TooLarge
from shared.probes.expand import Fact, Subject

MOST_BYTES: Final = 8 * 1024 * 1024  # of one picture
MOST_PIXELS: Final = 16_000_000
LONGEST_SIDE: Final = 1024  # larger pictures are reduced: no served model looks closer
FORMATS: Final = ("PNG", "JPEG", "WEBP")
_DATA_URL: Final = re.compile(r"data:image/[\w.+-]+;base64,", re.ASCII)


def open_photo(data: bytes) -> Image.Image:
    """The picture in `data`, RGB; raises TooLarge or BadInput, before anything large is unpacked."""
    if len(data) > MOST_BYTES:
        raise TooLarge(f"A picture may have {MOST_BYTES // 1024 // 1024} MB; this one has {len(data) / 1e6:.1f} MB.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise TooLarge(
                f"A picture may have {MOST_PIXELS // 1_000_000} megapixels; this one has {width * height / 1e6:.0f}."
            )
        return picture.convert("RGB")
    except Image.DecompressionBombError as exc:
        raise TooLarge(f"A picture may have {MOST_PIXELS // 1_000_000} megapixels; this one has far more.") from exc
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as exc:
        raise BadInput("This is not a picture that can be read (PNG, JPEG or WebP).") from exc


def read_data_url(text: str) -> bytes:
    """The bytes of a `data:image/...;base64,` URL (RFC 2397) or of plain base64; raises BadInput."""
    match = _DATA_URL.match(text)
    if match is None and ":" in text[:64]:
        raise BadInput("A picture must be given as a data URL (data:image/png;base64,...), not as an address.")
    try:
        return base64.b64decode(text[match.end() if match else 0 :], validate=True)
    except (binascii.Error, ValueError) as exc:
        raise BadInput("The picture is not valid base64.") from exc


def check_photo(data: bytes) -> bytes:
    """The picture written anew as PNG without metadata."""
    picture = open_photo(data)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)  # a third of the time of the default, a tenth larger
    return buffer.getvalue()


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


def unpack_subject(blob: bytes) -> tuple[list[str], list[bytes], list[Fact]]:
    """What `pack_subject` was given, back from its bytes; raises IntegrityFailure."""
    try:
        values = json.loads(blob)
        facts = [Fact(f["attribute"], f["value"], tuple(f["aliases"])) for f in values["facts"]]
        return list(values["names"]), [base64.b64decode(photo) for photo in values["photos"]], facts
    except (ValueError, KeyError, TypeError) as exc:
        raise IntegrityFailure("The raw material of a ticket cannot be read.") from exc
