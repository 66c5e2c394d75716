"""Pictures by which nobody can be recognised: an even colour, a gradient, stripes, noise, a pattern that repeats.

They are told by two properties that pictures of people have and these lack. What is seen has two dimensions: it is more
than one profile along the rows and one along the columns. And it has large parts: neighbouring regions resemble each
other at coarse scales too (the spectrum of natural pictures falls with the square of the frequency; D. J. Field,
"Relations between the statistics of natural images and the response properties of cortical cells", 1987).
Measured on real and drawn faces and on such pictures: docs/LOG.md.
"""

from typing import Final

import numpy as np
from PIL import Image

from shared.errors import BadInput

SIDE: Final = 64  # pixels to which a picture is reduced
LEAST_STRUCTURE: Final = 2.0  # of 255, root mean square; real faces have at least 18
COARSE: Final = ((16, 0.12), (8, 0.15))  # cells a side, and the least correlation of neighbours; faces: 0.46 and 0.18
EVEN: Final = "It shows an even colour, a gradient or stripes, and nobody can be recognised by it."
NOISE: Final = "It shows noise or a pattern that repeats, and nobody can be recognised by it."


def check_content(picture: Image.Image) -> None:
    """Raise BadInput for a picture (RGB) by which nobody can be recognised. What it shows otherwise is not judged."""
    reduced = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    pixels = np.asarray(reduced, dtype=np.float64)
    profiles = pixels.mean(axis=0, keepdims=True) + pixels.mean(axis=1, keepdims=True)
    structure = pixels - profiles + pixels.mean(axis=(0, 1))
    if np.sqrt(np.mean(structure**2)) < LEAST_STRUCTURE:
        raise BadInput(EVEN)
    if all(_correlation(pixels, cells) < least for cells, least in COARSE):
        raise BadInput(NOISE)


def _correlation(pixels: np.ndarray, cells: int) -> float:
    """Of neighbours, when `pixels` [SIDE, SIDE, 3] are averaged over `cells` by `cells` regions."""
    size = SIDE // cells
    means = pixels.reshape(cells, size, cells, size, 3).mean(axis=(1, 3))
    centred = means - means.mean(axis=(0, 1))
    variance = float(np.mean(centred**2))
    if variance == 0:
        return 0.0
    beside, below = np.mean(centred[:, 1:] * centred[:, :-1]), np.mean(centred[1:] * centred[:-1])
    return float(beside + below) / 2 / variance
