"""Hostile pictures and files: small on the disk, large or slow once they are read. And what reads them."""

import base64
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from services.request.imports import parsing
from shared.domain.photos import normalize_photo, open_photo, read_data_url
from shared.evaluation.people_files import read_people_rows
from shared.transparency.certificate_verifier import read_certificate_file


def _rows(path: Path) -> str:
    refused: list[str] = []
    read = sum(1 for _ in read_people_rows(path, lambda error: refused.append(error.detail)))
    return f"{read} rows, {len(refused)} refused"


def _tickets(path: Path) -> str:
    kind: parsing.Format = "csv" if path.suffix == ".csv" else "ndjson"
    text = parsing.decode_text(path.read_bytes())
    parsing.count_rows(text, kind)
    rows = list(parsing.parse_rows(text, kind))
    return f"{len(rows)} rows, {sum(row.problem is not None for row in rows)} refused"


READERS: Final[dict[str, Callable[[Path], Any]]] = {
    "ticket photo": lambda path: len(normalize_photo(path.read_bytes())),
    "request picture": lambda path: open_photo(path.read_bytes(), largest_side=2048).size,
    "data url": lambda path: len(read_data_url(path.read_text())),
    "people": _rows,
    "tickets": _tickets,
    "certificate": lambda path: bool(read_certificate_file(path.read_bytes())),
}


def write_all(folder: Path) -> Iterator[tuple[str, Path]]:
    """Write each file; yields what reads it, and its path."""
    for name, data in _pictures():
        path = folder / name
        path.write_bytes(data)
        yield ("request picture" if name.startswith("request") else "ticket photo"), path
    for reader, name, data in _documents():
        path = folder / name
        path.write_bytes(data)
        yield reader, path
    yield from _parquet(folder)


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _pictures() -> Iterator[tuple[str, bytes]]:
    black = Image.new("RGB", (4000, 4000))
    yield "black_16_megapixels.png", _encoded(black, "PNG", compress_level=9)
    yield "request_black_16_megapixels.png", _encoded(black, "PNG")
    yield "black_16_megapixels.jpg", _encoded(black, "JPEG")
    yield "progressive_16_megapixels.jpg", _encoded(black, "JPEG", progressive=True)
    yield "request_progressive_16_megapixels.jpg", _encoded(black, "JPEG", progressive=True)
    yield "black_16_megapixels.webp", _encoded(black, "WEBP", lossless=True, method=0)
    yield "black_16_megapixels.gif", _encoded(black.convert("P"), "GIF")
    yield "black_16_megapixels.avif", _encoded(Image.new("RGB", (3840, 4096)), "AVIF", speed=10)
    yield "transparent_16_megapixels.png", _encoded(Image.new("RGBA", (4000, 4000)), "PNG")
    yield "deep_16_megapixels.png", _encoded(Image.new("I;16", (4000, 4000)), "PNG")
    yield "cmyk_16_megapixels.jpg", _encoded(Image.new("CMYK", (4000, 4000)), "JPEG")
    yield "one_bit_225_megapixels.png", _encoded(Image.new("1", (15_000, 15_000)), "PNG")
    yield "many_scans.jpg", _many_scans(_encoded(black.resize((3000, 3000)), "JPEG", progressive=True), 10_000)
    yield (
        "many_scans_of_a_small_one.jpg",
        _many_scans(_encoded(black.resize((64, 64)), "JPEG", progressive=True), 60_000),
    )
    yield "claims_2_billion_pixels.png", _png_head(46_000, 46_000)
    yield "text_that_unpacks.png", _png_with_text(50_000_000)
    frames = [Image.new("P", (1000, 1000), n % 2) for n in range(200)]
    yield "two_hundred_frames.gif", _encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    exif = Image.Exif()
    exif[0x010E] = "x" * 60_000
    exif[0x0112] = 6
    yield "long_exif.jpg", _encoded(black.resize((2000, 2000)), "JPEG", exif=exif)
    yield "comments.jpg", _encoded(Image.new("RGB", (8, 8)), "JPEG")[:2] + (b"\xff\xfe\xff\xff" + bytes(65533)) * 120
    yield "heic.jpg", b"\0\0\0\x18ftypheic" + bytes(1000)
    yield "black_16_megapixels.heic", _encoded(black, "HEIF", quality=1)
    yield "noise_7_megapixels.heic", _encoded(Image.effect_noise((3000, 2400), 200).convert("RGB"), "HEIF", quality=60)


def _many_scans(jpeg: bytes, count: int) -> bytes:
    """The last scan of a progressive JPEG, again and again."""
    at = jpeg.rindex(b"\xff\xda")
    end = jpeg.rindex(b"\xff\xd9")
    return jpeg[:end] + jpeg[at:end] * min(count, 7_000_000 // (end - at)) + jpeg[end:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png_head(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(bytes(1000)))
        + _chunk(b"IEND", b"")
    )


def _png_with_text(size: int) -> bytes:
    whole = _encoded(Image.new("RGB", (8, 8)), "PNG")
    text = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * size, 9))
    return whole[:33] + text + whole[33:]


def _documents() -> Iterator[tuple[str, str, bytes]]:
    yield "data url", "percent_signs.txt", b"data:image/png;base64," + b"%41" * 4_000_000
    lists = b'{"names":[' + b"[]," * 18_000_000 + b"[]]}"
    yield "tickets", "lists.ndjson", lists
    yield "tickets", "deep.ndjson", b"[" * 1_000_000
    yield "tickets", "one_row_of_commas.csv", b"names,fact.a\nMara," + b"," * 30_000_000
    yield "tickets", "never_closed.csv", b'names,fact.a\n"' + b"Mara,b\n" * 2_000_000
    yield "tickets", "one_long_cell.csv", b"names,fact.a\n" + b"M" * 30_000_000 + b",b\n"
    yield "people", "lists.jsonl", lists
    yield "people", "one_long_line.jsonl", b'{"name": "' + b"M" * 120_000_000
    row = {"name": "Mara", "photos": ["data:image/png;base64," + base64.b64encode(bytes(7_000_000)).decode()] * 10}
    yield "people", "no_pictures.jsonl", json.dumps(row).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("certificate.json", b"[" + b"[]," * 6_000_000 + b"[]]")
    yield "certificate", "bundle.zip", buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("certificate.json", bytes(2_000_000_000))
    yield "certificate", "two_gigabytes.zip", buffer.getvalue()


def _parquet(folder: Path) -> Iterator[tuple[str, Path]]:
    zeros = pa.array(np.zeros(9000, dtype=np.int32))
    one = pa.DictionaryArray.from_arrays(zeros, pa.array(["x" * 900_000]))
    lists = pa.ListArray.from_arrays(pa.array([0, 3000, 6000, 9000], type=pa.int32()), one)
    tables = {
        "one_value_nine_thousand_times.parquet": pa.table({"name": ["Mara"] * 3, "photos": lists}),
        "one_value_in_all_rows.parquet": pa.table({"name": one}),
        "a_billion_nulls.parquet": pa.table({"name": pa.nulls(50_000_000, pa.string())}),
        "long_lists.parquet": pa.table(
            {"names": pa.ListArray.from_arrays([0, 20_000_000], pa.nulls(20_000_000, pa.string()))}
        ),
    }
    for name, table in tables.items():
        path = folder / name
        pq.write_table(table, path, compression="zstd", store_schema=False)
        yield "people", path
