"""Pictures by which nobody can be recognised are refused when a ticket is filed; people are not, however pictured."""

import io
import random
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from shared.domain.photo_content import check_content
from shared.errors import BadInput
from shared.evaluation.synthetic_portraits import draw, random_features

SIDE = 256


def from_grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.clip(0, 255).astype(np.uint8)).convert("RGB")


def noise(grain: int, deviation: float, colours: int, seed: int = 0) -> Image.Image:
    cells = SIDE // grain
    values = np.random.default_rng(seed).normal(128, deviation, (cells, cells, colours))
    if colours == 1:
        values = values.repeat(3, axis=2)
    return Image.fromarray(values.repeat(grain, 0).repeat(grain, 1).clip(0, 255).astype(np.uint8))


def as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def framed(picture: Image.Image) -> Image.Image:
    frame = Image.new("RGB", (picture.width * 3, picture.height * 2), "white")
    frame.paste(picture, (picture.width, picture.height // 2))
    return frame


ACROSS = np.linspace(0, 255, SIDE) * np.ones((SIDE, 1))
COLUMNS, ROWS = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
NOBODY = {
    "black": Image.new("RGB", (SIDE, SIDE)),
    "white": Image.new("RGB", (SIDE, SIDE), "white"),
    "one pixel": Image.new("RGB", (1, 1), "red"),
    "one line": from_grey(ACROSS[:1]),
    "grey with the noise of a sensor": noise(1, 3, 3),
    "gradient": from_grey(ACROSS),
    "gradient in two directions": from_grey((ACROSS + ACROSS.T) / 2),
    "stripes": from_grey(255 * (COLUMNS // 32 % 2)),
    "chequers": from_grey(255 * ((COLUMNS // 16 + ROWS // 16) % 2)),
    "fine chequers": from_grey(255 * ((COLUMNS + ROWS) % 2)),
    "noise": noise(1, 60, 3),
    "grey noise": noise(2, 80, 1),
    "coarse noise": noise(16, 60, 3),
    "black and white noise": from_grey(255 * np.random.default_rng(1).integers(0, 2, (SIDE, SIDE))),
    "noise as JPEG": as_jpeg(noise(2, 60, 3), 30),
    "blurred noise": noise(1, 60, 3).filter(ImageFilter.GaussianBlur(2)),
}
CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda picture: picture,
    "dark": lambda picture: ImageEnhance.Brightness(picture).enhance(0.15),
    "pale": lambda picture: ImageEnhance.Contrast(picture).enhance(0.15),
    "small": lambda picture: picture.resize((24, 24)),
    "blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(6)),
    "grey": lambda picture: picture.convert("L").convert("RGB"),
    "cropped": lambda picture: picture.crop((20, 20, 108, 108)),
    "noisy": lambda picture: Image.blend(picture, noise(1, 60, 3).resize(picture.size), 0.3),
    "worst JPEG": lambda picture: as_jpeg(picture, 5),
    "turned": lambda picture: picture.rotate(37, expand=True),
    "in a wide frame": framed,
}


@pytest.mark.parametrize("name", NOBODY)
def test_picture_that_shows_nobody_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="nobody can be recognised by it"):
        check_content(NOBODY[name])


@pytest.mark.parametrize("change", CHANGES)
def test_portraits_are_taken_however_they_are_changed(change: str) -> None:
    rng = random.Random(change)
    for _ in range(20):
        check_content(CHANGES[change](draw(random_features(rng))))
