"""Photographs of a ticket: a file that is not a picture is refused, and only the pixels are kept."""

import base64
import io
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pillow_heif
import pytest
from PIL import Image

from shared.artifacts.payloads import load_subject, pack_subject
from shared.domain import photos
from shared.domain.photos import MAX_BYTES, PixelBudget, is_picture, normalize_photo, open_photo, read_data_url
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


def encoded_picture(picture: Image.Image, kind: str, **options: object) -> bytes:
    """A file of that kind."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def pixel_of(picture: Image.Image, kind: str, where: tuple[int, int] = (2, 2), **options: object) -> tuple[int, ...]:
    """A pixel of the picture as it is read from a file of that kind."""
    opened = open_photo(encoded_picture(picture, kind, **options))
    assert opened.mode == "RGB"
    pixel = opened.getpixel(where)
    assert isinstance(pixel, tuple)
    return pixel


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "GIF"])
def test_transparent_parts_are_white(kind: str) -> None:
    picture = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert min(pixel_of(picture, kind)) > 250


def test_palette_with_transparency_is_white_where_it_is_transparent() -> None:
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.putpixel((2, 2), 1)
    assert pixel_of(picture, "PNG", transparency=0) == (255, 0, 0)
    assert pixel_of(picture, "PNG", (0, 0), transparency=0) == (255, 255, 255)


def test_sixteen_bits_are_scaled() -> None:
    deep = Image.new("I;16", (8, 8), 128 * 256)
    assert pixel_of(deep, "PNG") == (128, 128, 128)


def test_cmyk_and_grey_are_read_as_rgb() -> None:
    red = pixel_of(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)
    assert red[0] > 240
    assert max(red[1:]) < 20
    assert pixel_of(Image.new("L", (8, 8), 70), "PNG") == (70, 70, 70)
    assert pixel_of(Image.new("1", (8, 8), 1), "PNG") == (255, 255, 255)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_first_frame_of_several_is_read(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ((250, 0, 0), (0, 0, 250))]
    red, _, blue = pixel_of(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    assert red > 200
    assert blue < 50


def test_heic_is_read_upright_and_its_transparent_parts_are_white() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    picture = Image.new("RGB", (96, 64), (250, 0, 0))
    picture.paste((0, 0, 250), (0, 0, 96, 32))
    opened = open_photo(encoded_picture(picture, "HEIF", exif=exif.tobytes(), quality=90))  # once, not twice
    assert opened.size == (64, 96)
    left, right = opened.getpixel((4, 48)), opened.getpixel((60, 48))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert (left[0] > 200, right[2] > 200) == (True, True)
    assert min(pixel_of(Image.new("RGBA", (64, 64), (0, 0, 0, 0)), "HEIF")) > 250
    assert pixel_of(Image.new("L", (64, 64), 70), "HEIF")[0] == pytest.approx(70, abs=2)  # the encoder loses as much


def test_first_picture_of_a_heic_file_of_several_is_read() -> None:
    first, second = (Image.new("RGB", (64, 64), color) for color in ((250, 0, 0), (0, 0, 250)))
    red, _, blue = pixel_of(first, "HEIF", save_all=True, append_images=[second])
    assert red > 200
    assert blue < 50


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"hevc", b"heim"])
def test_file_that_only_begins_as_heic_is_refused(brand: bytes) -> None:
    for rest in (bytes(60), b"\xff" * 60, b""):
        with pytest.raises(BadInput, match="HEIC"):
            open_photo(b"\x00\x00\x00\x18ftyp" + brand + rest)


def test_heic_of_too_many_pixels_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen megapixels of one colour are four kilobytes."""
    data = encoded((640, 480), "HEIF", quality=1)
    assert open_photo(data).size == (640, 480)
    monkeypatch.setattr(photos, "MAX_PIXELS", 300_000)

    def unpacked(_: object) -> None:
        pytest.fail("it was unpacked")

    monkeypatch.setattr(pillow_heif.as_plugin.HeifImageFile, "load", unpacked)
    with pytest.raises(TooLarge, match="megapixels"):
        open_photo(data)


def test_heic_is_refused_by_name_where_it_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "READS_HEIC", False)
    with pytest.raises(BadInput, match="HEIC pictures are not read here"):
        open_photo(encoded(kind="HEIF"))
    assert open_photo(encoded(kind="AVIF")).size == (40, 30)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_large_picture_is_reduced_by_a_whole_number(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = open_photo(encoded((3000, 1000), kind, exif=exif), largest_side=1024)
    assert picture.size == ((1000, 334), (334, 1000))[orientation == 6]
    assert open_photo(encoded((1024, 7), kind), largest_side=1024).size == (1024, 7)


def test_progressive_picture_of_hundreds_of_scans_is_refused_at_once() -> None:
    whole = encoded((3000, 3000), progressive=True)
    last = whole.rindex(b"\xff\xda")
    scan = whole[last:-2]
    with pytest.raises(TooLarge, match="scans"):
        open_photo(whole[:last] + scan * 300 + b"\xff\xd9")
    assert open_photo(whole[:last] + scan * 5 + b"\xff\xd9").size == (3000, 3000)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "AVIF", "HEIF"])
def test_damaged_picture_is_refused_or_read_and_never_an_error_of_ours(kind: str) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((48, 32), 90).convert("RGB").save(buffer, kind)
    whole, draw = buffer.getvalue(), random.Random(3)
    outcomes = []
    for _ in range(200):
        damaged = bytearray(whole[: draw.choice([len(whole), draw.randrange(len(whole))])])
        for _ in range(draw.randrange(4)):
            if damaged:
                damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        try:
            outcomes.append(open_photo(bytes(damaged), largest_side=2048).mode)
        except (BadInput, TooLarge):
            outcomes.append("refused")
    assert {"RGB", "refused"} == set(outcomes)


def test_data_url_is_read_as_clients_write_it() -> None:
    data = bytes(range(256))
    text = base64.b64encode(data).decode()
    for url in (
        f"DATA:image/PNG;charset=utf-8;BASE64,{text}",
        f"data:image/png;base64,{text[:80]}\r\n {text[80:]}\n",
        f"data:image/png;base64,{text.rstrip('=')}",
        f"data:image/png;base64,{text.replace('+', '%2b').replace('/', '%2F')}",
        base64.urlsafe_b64encode(data).decode(),
    ):
        assert read_data_url(url) == data
    for broken in ("data:image/png;base64,A", "data:image/png;base64,AA\x00A", "data:image/png;base64,A=A="):
        with pytest.raises(BadInput, match="base64"):
            read_data_url(broken)


def with_scans(size: tuple[int, int], count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    whole = encoded(size, progressive=True)
    last, end = whole.rindex(b"\xff\xda"), whole.rindex(b"\xff\xd9")
    return whole[:end] + whole[last:end] * count + whole[end:]


@pytest.mark.parametrize(("size", "count"), [((3000, 3000), 100), ((64, 64), 10_000)])
def test_jpeg_of_many_scans_is_refused_before_it_is_unpacked(size: tuple[int, int], count: int) -> None:
    """A picture of 124 KB took 55 s; a small one takes as long where it has scans enough."""
    with pytest.raises(TooLarge, match="scans"):
        open_photo(with_scans(size, count))
    assert open_photo(with_scans((64, 64), 20)).size == (64, 64)


def test_pictures_of_a_request_are_bounded_together() -> None:
    budget = PixelBudget(10_000)
    budget.take(encoded((80, 100)))
    budget.take(b"no picture: it is refused elsewhere")
    with pytest.raises(TooLarge, match="together"):
        budget.take(encoded((80, 100)))


def test_pixels_that_are_unpacked_at_once_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight threads unpack a picture of four thousand pixels each, and never more than two at once."""
    monkeypatch.setattr(photos, "_UNDER_WAY", photos._PixelsUnderWay(8_000))
    at_work, most = [0], [0]
    original = photos._as_rgb

    def counting(picture: Image.Image) -> Image.Image:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        time.sleep(0.02)
        at_work[0] -= 1
        return original(picture)

    monkeypatch.setattr(photos, "_as_rgb", counting)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_photo, [encoded((40, 100))] * 8))
    assert most[0] <= 2
    assert open_photo(encoded((400, 300))).size == (400, 300)  # one that is larger than all together passes alone


def test_first_bytes_say_what_is_a_picture() -> None:
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "HEIF"):
        assert is_picture(encoded(kind=kind))
    for other in (b"", b"root:x:0:0:root:/root:/bin/bash\n", b"%PDF-1.7", b"RIFF\0\0\0\0WAVE", b"<svg/>", b"{}"):
        assert not is_picture(other)
