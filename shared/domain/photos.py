"""Photographs are decoded, turned upright, bounded and written anew, so that only pixels are kept and no metadata."""

import base64
import binascii
import io
import re
import struct
import warnings
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from shared.errors import BadInput, TooLarge

MAX_BYTES: Final = 8 * 1024 * 1024  # of one picture
MAX_PIXELS: Final = 16_000_000
MAX_SIDE: Final = 1024  # pixels; larger pictures are reduced, because no served model looks closer
FORMATS: Final = ("PNG", "JPEG", "WEBP")
_DATA_URL: Final = re.compile(r"data:image/[\w.+-]+;base64,", re.ASCII)


def open_photo(data: bytes) -> Image.Image:
    """The picture in `data`, upright and as RGB. Raises TooLarge or BadInput, before anything large is unpacked."""
    if len(data) > MAX_BYTES:
        raise TooLarge(f"A picture may have {MAX_BYTES // 1024 // 1024} MB; this one has {len(data) / 1e6:.1f} MB.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # of a damaged EXIF part
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise TooLarge(
                f"A picture may have {MAX_PIXELS // 1_000_000} megapixels; this one has {width * height / 1e6:.0f}."
            )
        return _upright(picture).convert("RGB")
    except Image.DecompressionBombError as exc:
        raise TooLarge(f"A picture may have {MAX_PIXELS // 1_000_000} megapixels; this one has far more.") from exc
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as exc:
        raise BadInput("This is not a picture that can be read (PNG, JPEG or WebP).") from exc


def _upright(picture: Image.Image) -> Image.Image:
    """The picture as its EXIF orientation says that it was held (cameras store it as the sensor lay).

    As it is where the EXIF part cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a damaged EXIF part
            return ImageOps.exif_transpose(picture)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, OverflowError, struct.error):
        return picture


def read_data_url(text: str) -> bytes:
    """The bytes of a `data:image/...;base64,` URL (RFC 2397) or of plain base64. Raises BadInput."""
    match = _DATA_URL.match(text)
    if match is None and ":" in text[:64]:
        raise BadInput("A picture must be given as a data URL (data:image/png;base64,...), not as an address.")
    try:
        return base64.b64decode(text[match.end() if match else 0 :], validate=True)
    except (binascii.Error, ValueError) as exc:
        raise BadInput("The picture is not valid base64.") from exc


def normalize_photo(data: bytes) -> bytes:
    """The picture written anew as PNG without metadata."""
    picture = open_photo(data)
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)  # a third of the time of the default, a tenth larger
    return buffer.getvalue()
