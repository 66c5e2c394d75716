"""Draws simple scenes and asks questions about them, for models that see. The same seed gives the same pixels.

Shapes, counts, positions, bar charts and printed words: what a picture shows can be asked without a person in it.
Pillow alone; this module knows no models.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

SIDE: Final = 384  # pixels; visible also after a vision tower has reduced the picture to 224

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]  # left, top, right, bottom

COLOURS: Final[dict[str, Colour]] = {
    "red": (210, 40, 40),
    "blue": (40, 80, 210),
    "green": (40, 150, 60),
    "yellow": (240, 200, 40),
    "orange": (240, 130, 30),
    "purple": (130, 60, 160),
    "black": (25, 25, 25),
}
SHAPES: Final = ("circle", "square", "triangle", "star")
NUMBERS: Final = ("zero", "one", "two", "three", "four", "five", "six")
WORDS: Final = (
    "APPLE",
    "BREAD",
    "CLOUD",
    "EXIT",
    "GARDEN",
    "HELLO",
    "MUSIC",
    "OPEN",
    "RIVER",
    "STOP",
    "TRAIN",
    "WATER",
)
FRUITS: Final = ("apples", "pears", "plums", "figs")
KINDS: Final = ("colour", "shape", "count", "position", "chart", "word", "size", "count of a colour")


@dataclass(frozen=True)
class DrawnQuestion:
    """A picture, a question about it, and the spellings of the true answer."""

    image: Image.Image
    text: str
    accept: tuple[str, ...]
    kind: str


def drawn_questions(count: int = 40, seed: int = 0) -> tuple[DrawnQuestion, ...]:
    """`count` questions, each about a scene of its own; the kinds of KINDS in turn."""
    return tuple(_question(KINDS[number % len(KINDS)], random.Random(f"{seed}/{number}")) for number in range(count))


def _question(kind: str, rng: random.Random) -> DrawnQuestion:
    image = Image.new("RGB", (SIDE, SIDE), (250, 250, 248))
    text, accept = SCENES[kind](ImageDraw.Draw(image), rng)
    return DrawnQuestion(image, text, accept, kind)


Scene = Callable[[ImageDraw.ImageDraw, random.Random], tuple[str, tuple[str, ...]]]


def _colour(draw: ImageDraw.ImageDraw, rng: random.Random) -> tuple[str, tuple[str, ...]]:
    shape, colour = rng.choice(SHAPES), rng.choice(tuple(COLOURS))
    _shape(draw, shape, _cell(rng.randrange(3), rng.randrange(3)), colour)
    return f"What colour is the {shape}?", (colour,)


def _kind_of_shape(draw: ImageDraw.ImageDraw, rng: random.Random) -> tuple[str, tuple[str, ...]]:
    shape, colour = rng.choice(SHAPES), rng.choice(tuple(COLOURS))
    _shape(draw, shape, _cell(rng.randrange(3), rng.randrange(3)), colour)
    return "Which shape does this picture show?", (shape,)


def _count(draw: ImageDraw.ImageDraw, rng: random.Random) -> tuple[str, tuple[str, ...]]:
    shape, number = rng.choice(SHAPES), rng.randint(1, 6)
    for column, row in rng.sample(_GRID, number):
        _shape(draw, shape, _cell(column, row), rng.choice(tuple(COLOURS)))
    return "How many shapes are in this picture?", (str(number), NUMBERS[number])


def _count_of_colour(draw: ImageDraw.ImageDraw, rng: random.Random) -> tuple[str, tuple[str, ...]]:
    wanted, other = rng.sample(tuple(COLOURS), 2)
    number, others = rng.randint(1, 4), rng.randint(1, 4)
    for place, (column, row) in enumerate(rng.sample(_GRID, number + others)):
        _shape(draw, "circle", _cell(column, row), wanted if place < number else other)
    return f"How many {wanted} circles are in this picture?", (str(number), NUMBERS[number])


def _position(draw: ImageDraw.ImageDraw, rng: random.Random) -> tuple[str, tuple[str, ...]]:
    (left, right), (left_colour, right_colour) = rng.sample(SHAPES, 2), rng.sample(tuple(COLOURS), 2)
    row = rng.randrange(3)
    _shape(draw, left, _cell(0, row), left_colour)
    _shape(draw, right, _cell(2, row), right_colour)
    side, shape = rng.choice((("left", left), ("right", right)))
    return f"Which shape is on the {side}?", (shape,)


def _size(draw: ImageDraw.ImageDraw, rng: random.Random) -> tuple[str, tuple[str, ...]]:
    (large, small), shape = rng.sample(tuple(COLOURS), 2), rng.choice(("circle", "square"))
    boxes: list[Box] = [(20, 100, 200, 280), (270, 160, 330, 220)]
    if rng.random() < 0.5:
        boxes = [(SIDE - right, top, SIDE - left, bottom) for left, top, right, bottom in boxes]
    for box, colour in zip(boxes, (large, small), strict=True):
        _shape(draw, shape, box, colour)
    return f"What colour is the larger {shape}?", (large,)


def _chart(draw: ImageDraw.ImageDraw, rng: random.Random) -> tuple[str, tuple[str, ...]]:
    heights = rng.sample((1, 2, 3, 4, 5, 6), len(FRUITS))
    font = ImageFont.load_default(24)
    draw.line((30, 320, SIDE - 10, 320), fill=COLOURS["black"], width=3)
    for place, (fruit, height) in enumerate(zip(FRUITS, heights, strict=True)):
        left = 40 + place * 85
        draw.rectangle((left, 320 - height * 45, left + 60, 320), fill=tuple(COLOURS.values())[place])
        draw.text((left + 30, 340), fruit, fill=COLOURS["black"], font=font, anchor="mm")
        draw.text((left + 30, 305 - height * 45), str(height), fill=COLOURS["black"], font=font, anchor="mm")
    if rng.random() < 0.5:
        return "Which bar of the chart is the highest?", _fruit(heights.index(max(heights)))
    place = rng.randrange(len(FRUITS))
    return f"Which number does the chart show for {FRUITS[place]}?", (str(heights[place]), NUMBERS[heights[place]])


def _word(draw: ImageDraw.ImageDraw, rng: random.Random) -> tuple[str, tuple[str, ...]]:
    word, colour = rng.choice(WORDS), rng.choice(("red", "blue", "green", "purple", "black"))  # dark enough to read
    draw.rectangle((20, 130, SIDE - 20, 250), outline=COLOURS["black"], width=4)
    draw.text((SIDE / 2, SIDE / 2), word, fill=COLOURS[colour], font=ImageFont.load_default(72), anchor="mm")
    return "Which word is printed in this picture?", (word,)


SCENES: Final[dict[str, Scene]] = {
    "colour": _colour,
    "shape": _kind_of_shape,
    "count": _count,
    "position": _position,
    "chart": _chart,
    "word": _word,
    "size": _size,
    "count of a colour": _count_of_colour,
}

_GRID: Final = tuple((column, row) for column in range(3) for row in range(3))


def _fruit(place: int) -> tuple[str, ...]:
    """The plural on the chart, and the singular."""
    return FRUITS[place], FRUITS[place].removesuffix("s")


def _cell(column: int, row: int) -> Box:
    """A place on a grid of three by three."""
    return column * 128 + 20, row * 128 + 20, column * 128 + 108, row * 128 + 108


def _shape(draw: ImageDraw.ImageDraw, shape: str, box: Box, colour: str) -> None:
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    if shape == "circle":
        draw.ellipse(box, fill=COLOURS[colour])
    elif shape == "square":
        draw.rectangle(box, fill=COLOURS[colour])
    elif shape == "triangle":
        draw.polygon([(left + width / 2, top), (left, bottom), (right, bottom)], fill=COLOURS[colour])
    else:
        corners = [(left + x * width, top + y * height) for x, y in _STAR]
        draw.polygon(corners, fill=COLOURS[colour])


_STAR: Final = (
    (0.50, 0.00), (0.62, 0.35), (1.00, 0.35), (0.69, 0.57), (0.81, 0.95),
    (0.50, 0.72), (0.19, 0.95), (0.31, 0.57), (0.00, 0.35), (0.38, 0.35),
)  # fmt: skip
