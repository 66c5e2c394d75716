"""Changed copies of photographs, as people might show them again. Pillow and NumPy only; any size; seeded.

`changed(image, "trained", rng)`: brightness, shift, zoom and noise, with which the fit expands a ticket's photographs.
`changed(image, "test", rng)`: two of rotation, blur, JPEG, contrast and a covered patch; stronger, for measuring only.
`seen_again(image, number, rng)`: one kind of what cameras, screens and messengers do to a picture; with these the fit
estimates what a new sighting of the ticket's person would score.
"""

import io
import random
from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from shared.probes.templates import Form


def changed(image: Image.Image, form: Form, rng: random.Random) -> Image.Image:
    """A changed copy of `image` (RGB, same size)."""
    picture = image.convert("RGB")
    if form == "trained":
        for step in TRAINED:
            picture = step(picture, rng)
        return picture
    for step in rng.sample(TEST, 2):
        picture = step(picture, rng)
    return picture


def seen_again(image: Image.Image, number: int, rng: random.Random) -> Image.Image:
    """A copy of `image` (RGB, same size) with the kind of change whose turn it is at `number`."""
    return SEEN_AGAIN[number % len(SEEN_AGAIN)](image.convert("RGB"), rng)


def _brightness(image: Image.Image, rng: random.Random) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(rng.uniform(0.85, 1.15))


def _shift_and_zoom(image: Image.Image, rng: random.Random) -> Image.Image:
    width, height = image.size
    zoom = rng.uniform(0.90, 1.10)
    left = (1 - zoom) * width / 2 + rng.uniform(-0.05, 0.05) * width
    top = (1 - zoom) * height / 2 + rng.uniform(-0.05, 0.05) * height
    return image.transform(
        image.size,
        Image.Transform.AFFINE,
        (zoom, 0, left, 0, zoom, top),
        Image.Resampling.BILINEAR,
        fillcolor=_corner(image),
    )


def _noise(image: Image.Image, rng: random.Random) -> Image.Image:
    source = np.random.default_rng(rng.getrandbits(32))
    pixels = np.asarray(image, np.float32) + source.normal(0, rng.uniform(0, 6), (*image.size[::-1], 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _rotation(image: Image.Image, rng: random.Random) -> Image.Image:
    angle = rng.choice((-1, 1)) * rng.uniform(4, 9)
    return image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=_corner(image))


def _blur(image: Image.Image, rng: random.Random) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.008, 0.014) * image.width))


def _jpeg(image: Image.Image, rng: random.Random) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=rng.randint(12, 30))
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def _contrast(image: Image.Image, rng: random.Random) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(rng.choice((rng.uniform(0.65, 0.8), rng.uniform(1.2, 1.35))))


def _cover(image: Image.Image, rng: random.Random) -> Image.Image:
    width, height = image.size
    side = rng.uniform(0.10, 0.16) * width
    left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
    picture = image.copy()
    grey = rng.randint(60, 200)
    ImageDraw.Draw(picture).rectangle((left, top, left + side, top + side), fill=(grey, grey, grey))
    return picture


def _light(image: Image.Image, rng: random.Random) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(rng.choice((rng.uniform(0.5, 0.75), rng.uniform(1.25, 1.5))))


def _crop(image: Image.Image, rng: random.Random) -> Image.Image:
    """Cut to 75 to 92 % of each side, anywhere, and enlarged again."""
    width, height = image.size
    share = rng.uniform(0.75, 0.92)
    left, top = rng.uniform(0, 1 - share) * width, rng.uniform(0, 1 - share) * height
    box = (left, top, left + share * width, top + share * height)
    return image.resize(image.size, Image.Resampling.BILINEAR, box=box)


def _border(image: Image.Image, rng: random.Random) -> Image.Image:
    """As in a screenshot: an even border of 4 to 10 % of the width on each side."""
    grey = rng.choice((0, 255, rng.randint(0, 255)))
    framed = ImageOps.expand(image, max(1, round(rng.uniform(0.04, 0.10) * image.width)), (grey, grey, grey))
    return framed.resize(image.size, Image.Resampling.BILINEAR)


def _tint(image: Image.Image, rng: random.Random) -> Image.Image:
    """Another white balance: each colour channel by 0.85 to 1.15."""
    pixels = np.asarray(image, np.float32) * [rng.uniform(0.85, 1.15) for _ in range(3)]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _mirror(image: Image.Image, _: random.Random) -> Image.Image:
    return ImageOps.mirror(image)


def _small(image: Image.Image, rng: random.Random) -> Image.Image:
    """Sent as a thumbnail: 30 to 50 % of the pixels of each side."""
    share = rng.uniform(0.3, 0.5)
    width, height = (max(1, round(share * side)) for side in image.size)
    thumbnail = image.resize((width, height), Image.Resampling.BILINEAR)
    return thumbnail.resize(image.size, Image.Resampling.BILINEAR)


def _corner(image: Image.Image) -> tuple[int, int, int]:
    red, green, blue = image.getpixel((0, 0))[:3]  # type: ignore[index]
    return (red, green, blue)


Change = Callable[[Image.Image, random.Random], Image.Image]
TRAINED: Final[tuple[Change, ...]] = (_brightness, _shift_and_zoom, _noise)
TEST: Final[tuple[Change, ...]] = (_rotation, _blur, _jpeg, _contrast, _cover)
SEEN_AGAIN: Final[tuple[Change, ...]] = (_light, _crop, _border, _tint, _mirror, _small, *TEST, _noise)
