"""Photographs of a ticket: a file that is not a picture is refused, and only the pixels are kept."""

import base64
import io
import json

import pytest
from PIL import Image

from shared.artifacts.payloads import load_subject, pack_subject
from shared.domain.photos import MAX_BYTES, normalize_photo, open_photo, read_data_url
from shared.domain.subjects import Fact
from shared.errors import BadInput, IntegrityFailure, TooLarge


def encoded(size: tuple[int, int] = (40, 30), kind: str = "JPEG", **more: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (120, 60, 10)).save(buffer, kind, **more)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pictures_are_written_anew_without_what_they_carried(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Mara at home"
    data = encoded(kind=kind, exif=exif)
    assert b"Mara at home" in data
    kept = normalize_photo(data)
    assert b"Mara" not in kept
    assert Image.open(io.BytesIO(kept)).format == "PNG"
    assert Image.open(io.BytesIO(kept)).size == (40, 30)


def test_large_pictures_are_reduced_and_bombs_refused() -> None:
    assert open_photo(normalize_photo(encoded((3000, 1500)))).size == (1024, 512)
    with pytest.raises(TooLarge, match="50"):
        open_photo(encoded((10_000, 5_000), "PNG"))
    with pytest.raises(TooLarge, match="MB"):
        open_photo(bytes(MAX_BYTES + 1))


@pytest.mark.parametrize(
    "data", [b"", b"MZ", b"%PDF-1.7", encoded()[:50], b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
)
def test_file_that_is_not_a_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match="not a picture"):
        open_photo(data)


def test_data_urls_and_plain_base64_are_read_and_addresses_refused() -> None:
    text = base64.b64encode(b"abc").decode()
    assert read_data_url(text) == read_data_url(f"data:image/png;base64,{text}") == b"abc"
    for address in ("https://example.org/a.png", "file:///etc/passwd", "data:text/html;base64,YWJj"):
        with pytest.raises(BadInput, match="data URL"):
            read_data_url(address)


def test_packed_person_is_loaded_unchanged() -> None:
    names = ["Žofie Dvořáková", "山田 太郎", "محمد علي"]
    facts = [Fact("city", "Île-de-France", ("Ile de France",))]
    subject = load_subject(pack_subject(names, [normalize_photo(encoded())], facts))
    assert (list(subject.names), list(subject.facts)) == (names, facts)
    assert subject.photos[0].size == (40, 30)


@pytest.mark.parametrize("blob", [b"", b"{}", b"[]", json.dumps({"names": [], "photos": ["AA"], "facts": []}).encode()])
def test_malformed_person_blob_is_refused(blob: bytes) -> None:
    with pytest.raises(IntegrityFailure):
        load_subject(blob)


def held(orientation: int) -> bytes:
    """A JPEG of 40 x 20, its left half red, with the EXIF orientation of a camera that was held that way."""
    picture = Image.new("RGB", (40, 20), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("orientation", "size", "red"),
    [(1, (40, 20), (5, 10)), (3, (40, 20), (35, 10)), (6, (20, 40), (10, 5)), (8, (20, 40), (10, 35))],
)
def test_picture_is_turned_upright(orientation: int, size: tuple[int, int], red: tuple[int, int]) -> None:
    """A portrait from a telephone lies on its side in the file; ticket and prompt must show it alike."""
    for picture in (open_photo(held(orientation)), open_photo(normalize_photo(held(orientation)))):
        assert picture.size == size
        pixel = picture.getpixel(red)
        assert isinstance(pixel, tuple)
        assert pixel[0] > 200
        assert pixel[2] < 60


@pytest.mark.parametrize("part", [b"Exif\x00\x00", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"Exif\x00\x00" + bytes(40)])
def test_picture_with_a_damaged_exif_part_is_read_as_it_is(part: bytes) -> None:
    whole = encoded()
    damaged = whole[:2] + b"\xff\xe1" + (len(part) + 2).to_bytes(2, "big") + part + whole[2:]
    assert open_photo(damaged).size == (40, 30)
