"""A photograph matches itself after re-encoding and a mild crop, and never matches another person's."""

import io
import random
from collections.abc import Callable

import pytest
from PIL import Image

from shared.artifacts.photo_hashes import hash_photo, hash_with_crops, is_same_photo
from shared.evaluation.synthetic_portraits import draw, random_features


def portrait(seed: int) -> Image.Image:
    return draw(random_features(random.Random(seed)))


def jpeg(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=40)
    return Image.open(io.BytesIO(buffer.getvalue()))


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p,
        jpeg,
        lambda p: p.resize((301, 301)),
        lambda p: p.crop((5, 5, p.width - 5, p.height - 5)),
        lambda p: jpeg(p.crop((0, 7, p.width - 7, p.height))),
    ],
    ids=["itself", "jpeg", "larger", "cropped", "cropped at a corner, then jpeg"],
)
def test_changed_photo_matches_its_original(change: Callable[[Image.Image], Image.Image]) -> None:
    known = [hash_with_crops(portrait(seed)) for seed in range(6)]
    changed = [hash_photo(change(portrait(seed))) for seed in range(6)]
    assert all(is_same_photo(original, copy) for original, copy in zip(known, changed, strict=True))


def test_other_people_are_not() -> None:
    known = [hash_with_crops(portrait(seed)) for seed in range(6)]
    others = [hash_photo(portrait(seed)) for seed in range(100, 112)]
    assert not any(is_same_photo(photo, other) for photo in known for other in others)
