"""Changes of a picture: each keeps a picture of the person, changes it, and is the same for the same seed."""

import random

import numpy as np
import pytest
from PIL import Image

from shared.evaluation.attacks.picture_changes import PICTURE_CHANGES, inset, side_by_side, with_words
from shared.evaluation.synthetic_people import generate_people

PORTRAIT = generate_people(1, {"forgettable": 1})[0].subject.photos[0].convert("RGB")


@pytest.mark.parametrize("kind", [kind for kind in PICTURE_CHANGES if kind != "unchanged"])
def test_change_gives_another_picture_and_the_same_for_the_same_seed(kind: str) -> None:
    first, again = (PICTURE_CHANGES[kind](PORTRAIT.copy(), random.Random(3)) for _ in range(2))
    assert first.mode == "RGB"
    assert first.tobytes() == again.tobytes()
    assert first.size != PORTRAIT.size or first.tobytes() != PORTRAIT.tobytes()
    assert np.asarray(first).std() > 5  # something is left to be seen


@pytest.mark.parametrize("size", [(16, 16), (40, 90), (301, 200)])
def test_changes_take_pictures_of_any_size(size: tuple[int, int]) -> None:
    picture = PORTRAIT.resize(size)
    for kind, change in PICTURE_CHANGES.items():
        assert min(change(picture, random.Random(0)).size) >= 8, kind


def test_collage_shows_every_picture_in_its_place() -> None:
    red, blue = (Image.new("RGB", (20, 30), colour) for colour in ((255, 0, 0), (0, 0, 255)))
    both = side_by_side([red, blue], columns=2)
    assert both.size == (40, 30)
    assert [both.getpixel((5, 15)), both.getpixel((35, 15))] == [(255, 0, 0), (0, 0, 255)]
    above = side_by_side([red, blue], columns=1)
    assert [above.getpixel((10, 5)), above.getpixel((10, 55))] == [(255, 0, 0), (0, 0, 255)]
    assert inset(red, blue).getpixel((19, 29)) == (0, 0, 255)
    assert inset(red, blue).getpixel((0, 0)) == (255, 0, 0)


def test_words_are_written_at_the_top_or_the_bottom_alone() -> None:
    marked = np.asarray(with_words(PORTRAIT, "Mara", 1.0)).astype(int)
    difference = np.abs(marked - np.asarray(PORTRAIT).astype(int)).sum(axis=(1, 2))
    assert difference[-8:].sum() > 0
    assert difference[: PORTRAIT.height - 14].sum() == 0
