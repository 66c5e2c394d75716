"""Pictures of one colour."""

import base64
import io

from PIL import Image


def png(colour: tuple[int, int, int] = (200, 120, 40), size: tuple[int, int] = (64, 64)) -> str:
    """A PNG picture of one colour as a data URL."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
