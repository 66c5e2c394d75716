"""Photographs are decoded, turned upright, bounded and written anew, so that only pixels are kept and no metadata.

A picture is what a viewer shows: upright as its EXIF part says, on white where it is transparent, the first frame of
several. Whatever would take long or much memory is refused before it is unpacked.
"""

import base64
import binascii
import contextlib
import io
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from typing import Final

from PIL import Image, ImageOps

from shared.errors import BadInput, TooLarge

MAX_BYTES: Final = 8 * 1024 * 1024  # of one picture
MAX_PIXELS: Final = 16_000_000
MAX_SCANNED_PIXELS: Final = 40 * MAX_PIXELS  # of a progressive JPEG, over all its scans: two seconds; cameras write ten
MAX_SCANS: Final = 100  # of a JPEG, however small: each costs time of its own
PIXELS_AT_ONCE: Final = 40_000_000  # unpacked at the same time in a process; each takes up to eight bytes
MAX_SIDE: Final = 1024  # pixels; larger pictures are reduced, because no served model looks closer
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "HEIF")
UNREADABLE: Final = "This is not a picture that can be read (PNG, JPEG or WebP, GIF, AVIF, HEIC)."
_DATA_URL: Final = re.compile(r"data:image/[\w.+-]+(;[\w.+-]+=[^;,]*)*;base64,", re.ASCII | re.IGNORECASE)
_HEIC: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_SCAN: Final = b"\xff\xda"  # a marker that cannot occur inside the data of a scan
_SIXTEEN_BITS: Final = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_BROKEN: Final = (  # what Pillow raises for damaged files, by format
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    EOFError,
    RuntimeError,
    AssertionError,
    struct.error,
    zlib.error,
)

try:
    import pillow_heif  # the extra `heic`: its wheels are under the GPL
except ImportError:
    READS_HEIC = False
else:
    READS_HEIC = True
    # What else a file holds is not read. One thread for each picture: PIXELS_AT_ONCE bounds them all.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def open_photo(data: bytes, largest_side: int | None = None) -> Image.Image:
    """The picture in `data`, upright and as RGB. Raises TooLarge or BadInput, before anything large is unpacked.

    It waits while PIXELS_AT_ONCE are being unpacked by other threads.
    `largest_side`: a larger picture is reduced by a whole number, so that no side is longer; JPEG while it is unpacked.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(f"A picture may have {MAX_BYTES // 1024 // 1024} MB; this one has {len(data) / 1e6:.1f} MB.")
    if not READS_HEIC and data[4:8] == b"ftyp" and data[8:12] in _HEIC and b"avif" not in data[8:64]:
        raise BadInput("HEIC pictures are not read here: send it as JPEG, PNG, WebP, GIF or AVIF.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # of a damaged EXIF part
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
            _check_size(picture, data)
            with _UNDER_WAY.holding(picture.width * picture.height):
                reduction = -(-max(picture.size) // largest_side) if largest_side else 1
                if reduction in (2, 4, 8):  # the scales of libjpeg
                    picture.draft("RGB", (picture.width // reduction, picture.height // reduction))
                return _reduced(_as_rgb(_upright(picture)), largest_side)
    except Image.DecompressionBombError as exc:
        raise TooLarge(f"A picture may have {MAX_PIXELS // 1_000_000} megapixels; this one has far more.") from exc
    except MemoryError as exc:
        raise TooLarge("The picture needs too much memory.") from exc
    except _BROKEN as exc:
        raise BadInput(UNREADABLE) from exc


class PixelBudget:
    """How many pixels the pictures of one request may have together, as they are sent."""

    def __init__(self, pixels: int) -> None:
        self._pixels, self._left = pixels, pixels

    def take(self, data: bytes) -> None:
        """Take those of one picture off; raises TooLarge where it has more than are left.

        Only the head of the picture is read. One that cannot be read takes nothing: it is refused later.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                width, height = Image.open(io.BytesIO(data), formats=FORMATS).size
        except (Image.DecompressionBombError, *_BROKEN):
            return
        self._left -= width * height
        if self._left < 0:
            raise TooLarge(f"The pictures of a request may have {self._pixels // 1_000_000} megapixels together.")


class _PixelsUnderWay:
    """Lets threads unpack pictures as long as they have no more than `most` pixels together."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def holding(self, pixels: int) -> Iterator[None]:
        """Wait until `pixels` more fit, and hold them until the block ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._held == 0 or self._held + pixels <= self._most)
            self._held += pixels
        try:
            yield
        finally:
            with self._changed:
                self._held -= pixels
                self._changed.notify_all()


_UNDER_WAY: Final = _PixelsUnderWay(PIXELS_AT_ONCE)


def is_picture(data: bytes) -> bool:
    """Whether the bytes begin as a picture of a known format does, by its first bytes alone."""
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")) or (
        (data[:4] == b"RIFF" and data[8:12] == b"WEBP") or data[4:8] == b"ftyp"
    )


def _check_size(picture: Image.Image, data: bytes) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise TooLarge(
            f"A picture may have {MAX_PIXELS // 1_000_000} megapixels; this one has {width * height / 1e6:.0f}."
        )
    scans = data.count(_SCAN) if picture.format in ("JPEG", "MPO") else 1
    if scans > MAX_SCANS or scans * width * height > MAX_SCANNED_PIXELS:
        raise TooLarge(f"A picture of this size may not have {scans} scans: save it anew.")


def _as_rgb(picture: Image.Image) -> Image.Image:
    """RGB of 8 bits; what is transparent becomes white."""
    if picture.mode in _SIXTEEN_BITS:
        return picture.point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")  # a copy of the same takes 64 MB


def _upright(picture: Image.Image) -> Image.Image:
    """The picture as its EXIF orientation says that it was held (cameras store it as the sensor lay).

    As it is where the EXIF part cannot be read.
    """
    picture.load()
    with contextlib.suppress(*_BROKEN):
        ImageOps.exif_transpose(picture, in_place=True)
    return picture


def _reduced(picture: Image.Image, largest_side: int | None) -> Image.Image:
    factor = -(-max(picture.size) // largest_side) if largest_side else 1
    return picture.reduce(factor) if factor > 1 else picture


def read_data_url(text: str) -> bytes:
    """The bytes of a `data:image/...;base64,` URL (RFC 2397) or of plain base64. Raises BadInput.

    As clients write them: with line breaks, parameters, percent signs, in the alphabet for URLs, without padding.
    """
    match = _DATA_URL.match(text)
    if match is None and ":" in text[:64]:
        raise BadInput("A picture must be given as a data URL (data:image/png;base64,...), not as an address.")
    encoded = text[match.end() if match else 0 :]
    if "%" in encoded:
        encoded = _without_percent_signs(encoded)
    encoded = "".join(encoded.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise BadInput("The picture is not valid base64.") from exc


def _without_percent_signs(text: str) -> str:
    """The characters of base64 that URLs write with a percent sign; another is no base64, and is refused with it.

    One after another: `unquote` takes eighty times the memory of a text that is full of them.
    """
    for character in "+/=\r\n -_":
        for code in {f"%{ord(character):02X}", f"%{ord(character):02x}"}:
            text = text.replace(code, character)
    return text


def normalize_photo(data: bytes) -> bytes:
    """The picture written anew as PNG without metadata."""
    return as_png(bounded_photo(data))


def bounded_photo(data: bytes) -> Image.Image:
    """The picture in `data`, reduced so that no side is longer than MAX_SIDE. Raises TooLarge or BadInput."""
    picture = open_photo(data, largest_side=2 * MAX_SIDE)  # whole steps first, which are fast and need little memory
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    return picture


def as_png(picture: Image.Image) -> bytes:
    """The pixels as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)  # a third of the time of the default, a tenth larger
    return buffer.getvalue()
