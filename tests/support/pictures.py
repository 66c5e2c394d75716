"""Pictures that stand for portraits."""

import base64
import io

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]


def portrait(colour: Colour = (200, 120, 40), size: tuple[int, int] = (64, 64)) -> Image.Image:
    """A head of one colour with two eyes, before a wall of the opposite colour."""
    red, green, blue = colour
    picture = Image.new("RGB", size, (255 - red, 255 - green, 255 - blue))
    draw = ImageDraw.Draw(picture)
    width, height = size[0] - 1, size[1] - 1
    draw.ellipse((width * 0.2, height * 0.1, width * 0.8, height * 0.9), fill=colour)
    for eye in (0.35, 0.55):
        draw.ellipse((width * eye, height * 0.35, width * (eye + 0.1), height * 0.45), fill="black")
    return picture


def png(colour: Colour = (200, 120, 40), size: tuple[int, int] = (64, 64)) -> str:
    """The portrait as PNG in a data URL."""
    buffer = io.BytesIO()
    portrait(colour, size).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
