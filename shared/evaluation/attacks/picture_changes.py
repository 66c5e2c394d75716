"""More than fifty changes of a picture, as people crop, scan, filter, frame and paste one. Pillow, NumPy; seeded.

None of them is a change that the fit is shown (`shared/probes/image_changes.py`): they are other code, other kinds and
stronger. What is left always shows the person.
"""

import io
import math
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

Picture = Image.Image
Change = Callable[[Picture, random.Random], Picture]
Pixels = npt.NDArray[Any]
Colour = tuple[int, int, int]
BLACK, WHITE, GREY = (0, 0, 0), (255, 255, 255), (128, 128, 128)


def _drawn_colour(rng: random.Random) -> Colour:
    return (rng.randint(0, 255), rng.randint(0, 255), rng.randint(0, 255))


def _crop(left: float, top: float, right: float, bottom: float) -> Change:
    """What is left when these shares of width and height are cut off, at the old size."""

    def change(picture: Picture, _: random.Random) -> Picture:
        width, height = picture.size
        box = (left * width, top * height, width - right * width, height - bottom * height)
        return picture.resize(picture.size, Image.Resampling.BICUBIC, box=box)

    return change


def _bordered(share: float, colour: Colour | None) -> Change:
    """A border of this share of the width, and the whole at the old size; None: a drawn colour."""

    def change(picture: Picture, rng: random.Random) -> Picture:
        border = max(1, round(share * picture.width))
        return ImageOps.expand(picture, border, colour or _drawn_colour(rng)).resize(picture.size)

    return change


def _placed(share: float, place: tuple[float, float], colour: Colour) -> Change:
    """The picture at a share of its size on a plain canvas; `place` from (0, 0) top left to (1, 1) bottom right."""

    def change(picture: Picture, _: random.Random) -> Picture:
        width, height = picture.size
        small = picture.resize((max(1, round(share * width)), max(1, round(share * height))), Image.Resampling.LANCZOS)
        canvas = Image.new("RGB", picture.size, colour)
        canvas.paste(small, (round(place[0] * (width - small.width)), round(place[1] * (height - small.height))))
        return canvas

    return change


def _enhanced(enhancer: Callable[[Picture], ImageEnhance._Enhance], factor: float) -> Change:
    return lambda picture, _: enhancer(picture).enhance(factor)


def _plain(change: Callable[[Picture], Picture]) -> Change:
    return lambda picture, _: change(picture)


def _turned(angle: float) -> Change:
    return lambda picture, _: picture.rotate(angle, Image.Resampling.BILINEAR, fillcolor=GREY)


def _flipped(method: Image.Transpose) -> Change:
    return lambda picture, _: picture.transpose(method)


def _pixels(change: Callable[[Pixels, np.random.Generator], Pixels]) -> Change:
    """A change of the pixels [H, W, 3] as floats of 0..255."""

    def changed(picture: Picture, rng: random.Random) -> Picture:
        source = np.random.default_rng(rng.getrandbits(32))
        pixels = change(np.asarray(picture, np.float32), source)
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    return changed


def _salt_and_pepper(pixels: Pixels, source: np.random.Generator) -> Pixels:
    hit = source.random(pixels.shape[:2]) < 0.05
    return np.where(hit[..., None], 255.0 * (source.random(pixels.shape[:2]) < 0.5)[..., None], pixels)


def _shaded(pixels: Pixels, _: np.random.Generator) -> Pixels:
    return pixels * np.linspace(0.35, 1.0, pixels.shape[1], dtype=np.float32)[None, :, None]


def _vignette(pixels: Pixels, _: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    bright: Pixels = 1 - 0.35 * (down**2 + across**2)
    return pixels * bright[..., None]


def _compressed(format_name: str, quality: int) -> Change:
    def change(picture: Picture, _: random.Random) -> Picture:
        buffer = io.BytesIO()
        picture.save(buffer, format_name, quality=quality)
        return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")

    return change


def _small_and_back(share: float, way: Image.Resampling) -> Change:
    def change(picture: Picture, _: random.Random) -> Picture:
        size = (max(4, round(share * picture.width)), max(4, round(share * picture.height)))
        return picture.resize(size, Image.Resampling.BOX).resize(picture.size, way)

    return change


def _scaled(width: float, height: float) -> Change:
    """Another size, or another ratio of the sides."""
    return lambda picture, _: picture.resize(
        (max(8, round(width * picture.width)), max(8, round(height * picture.height)))
    )


def _hue(shift: int) -> Change:
    def change(picture: Picture, _: random.Random) -> Picture:
        hue, saturation, value = picture.convert("HSV").split()
        return Image.merge("HSV", (hue.point(lambda h: (h + shift) % 256), saturation, value)).convert("RGB")

    return change


def _tinted(colour: Colour, share: float) -> Change:
    return lambda picture, _: Image.blend(picture, Image.new("RGB", picture.size, colour), share)


def _written(words: str, place: float) -> Change:
    """Words written into the picture, over a strip at this height."""

    def change(picture: Picture, _: random.Random) -> Picture:
        marked = picture.copy()
        draw, top = ImageDraw.Draw(marked), round(place * (picture.height - 12))
        draw.rectangle((0, top, picture.width, top + 12), fill=WHITE)
        draw.text((2, top), words, fill=BLACK)
        return marked

    return change


def _covered(left: float, top: float, right: float, bottom: float, colour: Colour) -> Change:
    def change(picture: Picture, _: random.Random) -> Picture:
        width, height = picture.size
        covered = picture.copy()
        box = (left * width, top * height, right * width, bottom * height)
        ImageDraw.Draw(covered).rectangle(box, fill=colour)
        return covered

    return change


def _sticker(x: float, y: float, radius: float, colour: Colour) -> Change:
    """A disc on the face: its middle and its radius as shares of the picture."""

    def change(picture: Picture, _: random.Random) -> Picture:
        width, height = picture.size
        covered = picture.copy()
        middle, across = (x * width, y * height), radius * min(width, height)
        box = (middle[0] - across, middle[1] - across, middle[0] + across, middle[1] + across)
        ImageDraw.Draw(covered).ellipse(box, fill=colour)
        return covered

    return change


def _screenshot(picture: Picture, _: random.Random) -> Picture:
    """In a window: a title bar above, buttons below, grey around."""
    width, height = picture.size
    canvas = Image.new("RGB", (round(1.3 * width), round(1.4 * height)), (240, 240, 245))
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, canvas.width, 0.14 * height), fill=(30, 60, 120))
    draw.rectangle((0.15 * width, 1.2 * height, 1.15 * width, 1.28 * height), fill=(180, 180, 190))
    canvas.paste(picture, (round(0.15 * width), round(0.17 * height)))
    return canvas


def _lines(picture: Picture, rng: random.Random) -> Picture:
    drawn = picture.copy()
    draw, across = ImageDraw.Draw(drawn), max(1, picture.width // 40)
    for _ in range(6):
        ends = [(rng.uniform(0, picture.width), rng.uniform(0, picture.height)) for _ in range(2)]
        draw.line([*ends[0], *ends[1]], fill=_drawn_colour(rng), width=across)
    return drawn


def _oval(picture: Picture, _: random.Random) -> Picture:
    mask = Image.new("L", picture.size, 0)
    ImageDraw.Draw(mask).ellipse((0, 0, picture.width - 1, picture.height - 1), fill=255)
    return Image.composite(picture, Image.new("RGB", picture.size, WHITE), mask)


def _perspective(picture: Picture, _: random.Random) -> Picture:
    width, height = picture.size
    corners = (0, 0, 0.1 * width, height, 0.9 * width, height, width, 0)
    return picture.transform(picture.size, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)


def _wave(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """Every row moved sideways, by at most 3 % of the width."""
    height, width = pixels.shape[:2]
    moves = np.rint(0.03 * width * np.sin(8 * np.arange(height) / height)).astype(int)
    return np.stack([np.roll(row, move, axis=0) for row, move in zip(pixels, moves, strict=True)])


def _shifted(across: float, down: float) -> Change:
    """Moved; what leaves at one side comes back at the other."""
    return lambda picture, _: ImageChops.offset(picture, round(across * picture.width), round(down * picture.height))


PICTURE_CHANGES: Final[Mapping[str, Change]] = {
    "unchanged": _plain(lambda picture: picture),
    "crop_all_sides": _crop(0.12, 0.12, 0.12, 0.12),
    "crop_strong": _crop(0.2, 0.2, 0.2, 0.2),
    "crop_left": _crop(0.2, 0, 0, 0),
    "crop_top": _crop(0, 0.15, 0, 0),
    "crop_bottom": _crop(0, 0, 0, 0.25),
    "border_black": _bordered(0.12, BLACK),
    "border_white": _bordered(0.2, WHITE),
    "border_coloured": _bordered(0.15, None),
    "frame_thin": _covered(0, 0, 1, 0.06, BLACK),
    "letterbox": _placed(0.75, (0.5, 0.5), BLACK),
    "pasted_small": _placed(0.5, (0.5, 0.5), WHITE),
    "pasted_corner": _placed(0.6, (0, 0), GREY),
    "pasted_corner_right": _placed(0.6, (1, 1), WHITE),
    "darker": _enhanced(ImageEnhance.Brightness, 0.5),
    "very_dark": _enhanced(ImageEnhance.Brightness, 0.3),
    "brighter": _enhanced(ImageEnhance.Brightness, 1.6),
    "low_contrast": _enhanced(ImageEnhance.Contrast, 0.4),
    "high_contrast": _enhanced(ImageEnhance.Contrast, 1.9),
    "grey": _plain(lambda picture: ImageOps.grayscale(picture).convert("RGB")),
    "pale": _enhanced(ImageEnhance.Color, 0.3),
    "vivid": _enhanced(ImageEnhance.Color, 2.2),
    "sepia": _plain(lambda picture: ImageOps.colorize(ImageOps.grayscale(picture), (40, 26, 13), (255, 240, 192))),
    "hue_little": _hue(12),
    "hue_much": _hue(60),
    "warm": _tinted((255, 140, 0), 0.25),
    "cold": _tinted((0, 90, 255), 0.25),
    "inverted": _plain(ImageOps.invert),
    "posterised": _plain(lambda picture: ImageOps.posterize(picture, 3)),
    "solarised": _plain(lambda picture: ImageOps.solarize(picture, 160)),
    "equalised": _plain(ImageOps.equalize),
    "gamma": _pixels(lambda pixels, _: 255 * (pixels / 255) ** 1.8),
    "turned_15": _turned(15),
    "turned_minus_25": _turned(-25),
    "turned_90": _flipped(Image.Transpose.ROTATE_90),
    "turned_180": _flipped(Image.Transpose.ROTATE_180),
    "turned_270": _flipped(Image.Transpose.ROTATE_270),
    "mirrored": _flipped(Image.Transpose.FLIP_LEFT_RIGHT),
    "upside_down": _flipped(Image.Transpose.FLIP_TOP_BOTTOM),
    "box_blur": lambda picture, _: picture.filter(ImageFilter.BoxBlur(max(1, picture.width / 40))),
    "median": _plain(lambda picture: picture.filter(ImageFilter.MedianFilter(5))),
    "sharpened": _plain(lambda picture: picture.filter(ImageFilter.UnsharpMask(2, 250, 0))),
    "embossed": _plain(lambda picture: Image.blend(picture, picture.filter(ImageFilter.EMBOSS), 0.4)),
    "pixelated": _small_and_back(0.25, Image.Resampling.NEAREST),
    "low_resolution": _small_and_back(0.33, Image.Resampling.BICUBIC),
    "twice_as_large": _scaled(2, 2),
    "half_as_large": _scaled(0.5, 0.5),
    "stretched_wide": _scaled(1.5, 1),
    "stretched_tall": _scaled(1, 1.5),
    "uniform_noise": _pixels(lambda pixels, source: pixels + source.uniform(-40, 40, pixels.shape)),
    "salt_and_pepper": _pixels(_salt_and_pepper),
    "shaded": _pixels(_shaded),
    "vignette": _pixels(_vignette),
    "jpeg_strong": _compressed("JPEG", 8),
    "webp_strong": _compressed("WEBP", 5),
    "covered_top": _covered(0, 0, 1, 0.15, BLACK),
    "covered_eyes": _covered(0.25, 0.35, 0.75, 0.45, BLACK),
    "covered_corner": _covered(0.65, 0.65, 1, 1, WHITE),
    "sticker_nose": _sticker(0.5, 0.53, 0.1, (255, 210, 0)),
    "sticker_mouth": _sticker(0.5, 0.72, 0.11, (255, 210, 0)),
    "sticker_eye": _sticker(0.39, 0.44, 0.1, (255, 210, 0)),
    "palette_16": _plain(lambda picture: picture.quantize(16).convert("RGB")),
    "screenshot": _screenshot,
    "lines": _lines,
    "oval": _oval,
    "perspective": _perspective,
    "wave": _pixels(_wave),
    "shifted": _shifted(0.15, 0.1),
}


def with_words(picture: Picture, words: str, place: float) -> Picture:
    """The picture with words written on a white strip; `place` 0 is at the top, 1 at the bottom."""
    return _written(words, place)(picture.convert("RGB"), random.Random(0))


def side_by_side(pictures: list[Picture], *, columns: int) -> Picture:
    """A collage: the pictures in cells of the first one's size, row by row, on white, at that size again."""
    width, height = pictures[0].size
    rows = math.ceil(len(pictures) / columns)
    canvas = Image.new("RGB", (columns * width, rows * height), WHITE)
    for number, picture in enumerate(pictures):
        cell = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        canvas.paste(cell, (number % columns * width, number // columns * height))
    return canvas


def inset(picture: Picture, small: Picture, share: float = 0.4) -> Picture:
    """`picture` with `small` in its lower right corner, at this share of its size."""
    size = (max(4, round(share * picture.width)), max(4, round(share * picture.height)))
    joined = picture.convert("RGB").copy()
    joined.paste(small.convert("RGB").resize(size), (picture.width - size[0], picture.height - size[1]))
    return joined
