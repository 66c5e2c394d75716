"""Drawn scenes: the same pixels again, and answers that the pixels confirm."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from shared.evaluation.drawn_scenes import COLOURS, KINDS, NUMBERS, SCENES, SHAPES, SIDE, DrawnQuestion, drawn_questions
from shared.evaluation.scorers import reveals

MANY = drawn_questions(400, seed=3)
AREA = {"circle": 0.785, "square": 1.0, "triangle": 0.5, "star": 0.31}  # of the square around the shape


def _of(kind: str) -> list[DrawnQuestion]:
    return [question for question in MANY if question.kind == kind]


def _mask(image: Image.Image, colour: str) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = np.all(np.asarray(image) == COLOURS[colour], axis=-1)
    return mask


def _ink(image: Image.Image) -> NDArray[np.bool_]:
    """Where something is drawn."""
    pixels = np.asarray(image)
    ink: NDArray[np.bool_] = np.any(pixels != pixels[0, 0], axis=-1)
    return ink


def _shape(ink: NDArray[np.bool_]) -> str:
    """The shape whose share of the box around it is nearest."""
    rows, columns = np.nonzero(ink)
    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    return min(AREA, key=lambda shape: abs(AREA[shape] - len(rows) / box))


def _colours(image: Image.Image) -> dict[str, int]:
    """The number of pixels of each colour that is there."""
    return {colour: size for colour in COLOURS if (size := int(_mask(image, colour).sum()))}


def test_the_same_seed_draws_the_same_pixels() -> None:
    for first, again in zip(drawn_questions(), drawn_questions(), strict=True):
        assert (first.text, first.accept, first.kind) == (again.text, again.accept, again.kind)
        assert first.image.tobytes() == again.image.tobytes()


def test_another_seed_draws_other_scenes() -> None:
    pairs = zip(drawn_questions(), drawn_questions(seed=1), strict=True)
    assert sum(first.image.tobytes() != other.image.tobytes() for first, other in pairs) >= 35


def test_more_questions_begin_with_the_same_ones() -> None:
    assert [question.text for question in drawn_questions(48)][:40] == [question.text for question in drawn_questions()]


def test_forty_questions_are_of_every_kind() -> None:
    assert Counter(question.kind for question in drawn_questions()) == dict.fromkeys(KINDS, 5)
    assert set(SCENES) == set(KINDS)
    assert all(question.image.size == (SIDE, SIDE) for question in drawn_questions())


def test_no_question_gives_its_answer_away() -> None:
    assert [question.text for question in MANY if reveals(question.text, question.accept)] == []


def test_colours_are_those_of_the_pixels() -> None:
    for question in _of("colour"):
        assert list(_colours(question.image)) == [question.accept[0]]
        assert _shape(_ink(question.image)) in question.text


def test_shapes_are_those_of_the_pixels() -> None:
    for question in _of("shape"):
        assert question.accept == (_shape(_ink(question.image)),)
    assert {question.accept[0] for question in _of("shape")} == set(SHAPES)


def test_counts_are_those_of_the_pixels() -> None:
    for question in _of("count"):
        number = ndimage.label(_ink(question.image))[1]
        assert question.accept == (str(number), NUMBERS[number])


def test_counts_of_a_colour_are_those_of_the_pixels() -> None:
    for question in _of("count of a colour"):
        colour = next(colour for colour in COLOURS if colour in question.text)
        number = ndimage.label(_mask(question.image, colour))[1]
        assert question.accept == (str(number), NUMBERS[number])


def test_positions_are_those_of_the_pixels() -> None:
    for question in _of("position"):
        ink = _ink(question.image)
        half = ink[:, : SIDE // 2] if "left" in question.text else ink[:, SIDE // 2 :]
        assert question.accept == (_shape(half),)


def test_the_larger_shape_has_more_pixels() -> None:
    for question in _of("size"):
        sizes = _colours(question.image)
        assert len(sizes) == 2
        assert question.accept == (max(sizes, key=lambda colour: sizes[colour]),)


def test_charts_answer_with_the_bars_that_are_drawn() -> None:
    fruits = ("apples", "pears", "plums", "figs")
    for question in _of("chart"):
        bars = [int(_mask(question.image, colour).sum()) for colour in ("red", "blue", "green", "yellow")]
        if "highest" in question.text:
            assert question.accept[0] == fruits[bars.index(max(bars))]
        else:
            fruit = next(fruit for fruit in fruits if fruit in question.text)
            assert question.accept[0] == str(round(bars[fruits.index(fruit)] / (61 * 45)))
    assert {"highest" in question.text for question in _of("chart")} == {True, False}


def test_words_are_within_their_frame() -> None:
    """Between the frame and the word is background on every side."""
    for question in _of("word"):
        inside = _ink(question.image)[134:247, 24 : SIDE - 24]
        rows, columns = np.nonzero(inside)
        assert 4 < rows.min() < rows.max() < inside.shape[0] - 5
        assert 4 < columns.min() < columns.max() < inside.shape[1] - 5
