"""Draws a portrait from independent features, with Pillow alone; the same features give the same pixels.

Every feature is large enough to be seen at 64 x 64 pixels, the demo model's input. This module knows no names or facts.
"""

import random
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from PIL import Image, ImageDraw

SIZE: Final = 128  # pixels, of a photograph
SCALE: Final = 4  # drawn larger, then reduced: smooth edges

Colour = tuple[int, int, int]

BACKGROUNDS: Final[dict[str, Colour]] = {
    "red": (205, 70, 65), "green": (80, 160, 85), "blue": (70, 110, 200), "yellow": (235, 205, 85),
    "purple": (140, 85, 170), "grey": (165, 165, 170), "orange": (235, 145, 60), "white": (245, 245, 242),
}  # fmt: skip
SKINS: Final[tuple[Colour, ...]] = ((250, 220, 195), (232, 190, 150), (200, 150, 110), (150, 100, 70), (100, 65, 45))
HAIRS: Final[tuple[Colour, ...]] = (
    (35, 28, 25), (105, 65, 35), (215, 175, 90), (175, 75, 35), (195, 195, 200), (60, 90, 150),
)  # fmt: skip
CLOTHES: Final[tuple[Colour, ...]] = (
    (40, 55, 95), (150, 40, 50), (45, 110, 75), (235, 235, 235), (60, 60, 65), (210, 150, 50), (110, 70, 130),
    (90, 160, 190),
)  # fmt: skip

COUNTS: Final[dict[str, int]] = {
    "background": len(BACKGROUNDS), "skin": len(SKINS), "face": 4, "hair_style": 6, "hair": len(HAIRS), "eyes": 3,
    "brows": 3, "glasses": 2, "hat": 2, "beard": 4, "mouth": 3, "clothes": len(CLOTHES), "pattern": 4, "earrings": 2,
    "mark": 5,
}  # fmt: skip


@dataclass(frozen=True)
class Features:
    """The features of a face; each is an index below the feature's number of values in COUNTS."""

    background: int
    skin: int
    face: int
    hair_style: int
    hair: int
    eyes: int
    brows: int
    glasses: int
    hat: int
    beard: int
    mouth: int
    clothes: int
    pattern: int
    earrings: int
    mark: int

    def distance(self, other: "Features") -> int:
        """The number of features in which two faces differ."""
        return sum(getattr(self, f.name) != getattr(other, f.name) for f in fields(self))

    def altered(self, rng: random.Random, count: int) -> "Features":
        """The same face with `count` of its lesser features changed."""
        chosen = rng.sample(("beard", "mouth", "brows", "clothes", "hair", "glasses", "hat"), count)
        return replace(self, **{name: (getattr(self, name) + 1) % COUNTS[name] for name in chosen})

    def as_dict(self) -> dict[str, int]:
        """Name -> index."""
        return asdict(self)


def random_features(rng: random.Random) -> Features:
    """A face with every feature drawn uniformly."""
    return Features(**{name: rng.randrange(count) for name, count in COUNTS.items()})


def visible_truth(features: Features) -> dict[str, str]:
    """The true answers to the questions about what anybody can see."""
    return {
        "glasses": "yes" if features.glasses else "no",
        "hat": "yes" if features.hat else "no",
        "background": tuple(BACKGROUNDS)[features.background],
    }


def draw(features: Features) -> Image.Image:
    """The portrait: RGB, SIZE x SIZE pixels."""
    side = SIZE * SCALE
    image = Image.new("RGB", (side, side), tuple(BACKGROUNDS.values())[features.background])
    pen = _Pen(ImageDraw.Draw(image), side)
    width = (0.21, 0.25, 0.25, 0.29)[features.face]
    height = (0.30, 0.27, 0.32, 0.28)[features.face]
    _shoulders(pen, features)
    _hair_behind(pen, features, width)
    skin = SKINS[features.skin]
    pen.oval(0.5, 0.50, width, height, skin)
    if features.earrings:
        for side_of in (-1, 1):
            pen.oval(0.5 + side_of * (width + 0.015), 0.58, 0.028, 0.028, (250, 210, 60))
    _hair_before(pen, features, width, height)
    _face(pen, features, width, skin)
    if features.hat:
        colour = CLOTHES[(features.clothes + 3) % len(CLOTHES)]
        if colour[0] > 200 and colour[2] > 200 and tuple(BACKGROUNDS)[features.background] == "white":
            colour = (60, 60, 65)  # white on white could not be seen
        pen.box(0.5 - width - 0.07, 0.245, 0.5 + width + 0.07, 0.295, colour)
        pen.box(0.5 - width + 0.02, 0.07, 0.5 + width - 0.02, 0.26, colour)
    return image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


class _Pen:
    """Draws in coordinates that are fractions of the picture's side."""

    def __init__(self, canvas: ImageDraw.ImageDraw, side: int) -> None:
        self._canvas, self._side = canvas, side

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Colour) -> None:
        self._canvas.ellipse(self._scaled(x - rx, y - ry, x + rx, y + ry), fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        self._canvas.rectangle(self._scaled(left, top, right, bottom), fill=fill)

    def ring(self, x: float, y: float, r: float, colour: Colour, width: float) -> None:
        self._canvas.ellipse(self._scaled(x - r, y - r, x + r, y + r), outline=colour, width=int(width * self._side))

    def arc(self, x: float, y: float, r: float, span: tuple[int, int], colour: Colour, width: float) -> None:
        box = self._scaled(x - r, y - r, x + r, y + r)
        self._canvas.arc(box, span[0], span[1], fill=colour, width=int(width * self._side))

    def line(self, points: list[tuple[float, float]], colour: Colour, width: float) -> None:
        scaled = [(x * self._side, y * self._side) for x, y in points]
        self._canvas.line(scaled, fill=colour, width=int(width * self._side))

    def _scaled(self, *box: float) -> Any:
        return tuple(value * self._side for value in box)


def _shoulders(pen: _Pen, features: Features) -> None:
    colour = CLOTHES[features.clothes]
    light: Colour = (250, 250, 245) if features.clothes != 3 else (40, 40, 45)
    pen.oval(0.5, 1.02, 0.42, 0.25, colour)
    if features.pattern == 1:
        for x in (0.22, 0.36, 0.64, 0.78):
            pen.box(x - 0.025, 0.86, x + 0.025, 1.0, light)
    elif features.pattern == 2:
        for x in (0.2, 0.32, 0.68, 0.8):
            pen.oval(x, 0.92, 0.035, 0.035, light)
    elif features.pattern == 3:
        pen.box(0.46, 0.80, 0.54, 1.0, (190, 30, 40) if features.clothes != 1 else (240, 220, 80))
    pen.box(0.43, 0.70, 0.57, 0.82, SKINS[features.skin])


def _hair_behind(pen: _Pen, features: Features, width: float) -> None:
    colour = HAIRS[features.hair]
    if features.hair_style == 1:
        pen.box(0.5 - width - 0.05, 0.35, 0.5 + width + 0.05, 0.78, colour)
    elif features.hair_style == 2:
        pen.oval(0.5, 0.42, width + 0.13, 0.27, colour)
    elif features.hair_style == 3:
        pen.oval(0.5, 0.17, 0.10, 0.10, colour)


def _hair_before(pen: _Pen, features: Features, width: float, height: float) -> None:
    if features.hair_style == 0:
        return
    colour = HAIRS[features.hair]
    if features.hair_style == 4:
        pen.box(0.5 - width, 0.5 - height - 0.02, 0.5 + width, 0.5 - height + 0.11, colour)
    elif features.hair_style == 5:
        pen.box(0.47, 0.5 - height - 0.10, 0.53, 0.5 - height + 0.10, colour)
    else:
        pen.oval(0.5, 0.5 - height + 0.05, width * 0.92, 0.09, colour)


def _face(pen: _Pen, features: Features, width: float, skin: Colour) -> None:
    dark: Colour = (40, 32, 30)
    apart = width * 0.45
    iris = ((60, 40, 25), (60, 120, 190), (70, 150, 80))[features.eyes]
    for side in (-1, 1):
        x = 0.5 + side * apart
        pen.oval(x, 0.46, 0.05, 0.036, (255, 255, 255))
        pen.oval(x, 0.46, 0.027, 0.032, iris)
        if features.brows:
            tilt = 0.03 if features.brows == 2 else 0.0
            pen.line([(x - 0.055, 0.395 + side * tilt), (x + 0.055, 0.395 - side * tilt)], dark, 0.024)
        if features.glasses:
            pen.ring(x, 0.46, 0.088, (20, 20, 25), 0.02)
    if features.glasses:
        pen.line([(0.5 - apart + 0.08, 0.46), (0.5 + apart - 0.08, 0.46)], (20, 20, 25), 0.02)
    shade = (int(skin[0] * 0.8), int(skin[1] * 0.75), int(skin[2] * 0.75))
    pen.oval(0.5, 0.55, 0.028, 0.04, shade)
    hair = HAIRS[features.hair] if features.hair_style else dark
    if features.beard in (2, 3):
        pen.oval(0.5, 0.72, width * (0.62 if features.beard == 2 else 0.34), 0.085, hair)
    if features.beard in (1, 2):
        pen.box(0.5 - 0.085, 0.595, 0.5 + 0.085, 0.63, hair)
    lips: Colour = (185, 60, 70)
    if features.mouth == 0:
        pen.box(0.5 - 0.07, 0.655, 0.5 + 0.07, 0.678, lips)
    elif features.mouth == 1:
        pen.arc(0.5, 0.60, 0.085, (30, 150), lips, 0.03)
    else:
        pen.oval(0.5, 0.665, 0.05, 0.035, lips)
    if features.mark:
        x, y = ((0, 0), (-0.6, 0.57), (0.6, 0.57), (-0.5, 0.64), (0.5, 0.35))[features.mark]
        pen.oval(0.5 + x * width, y, 0.03, 0.03, (120, 20, 40))
