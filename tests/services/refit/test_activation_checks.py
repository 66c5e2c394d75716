"""Activations that are NaN, infinite, flat or missing are refused, with the set and the layers in the sentence."""

import pytest
import torch
from torch import Tensor

from services.refit.activation_checks import ActivationCheck, check_activations, check_directions
from shared.errors import BadInput


@pytest.fixture
def activations() -> Tensor:
    """Random activations [8, 3, 4]."""
    return torch.randn(8, 3, 4, generator=torch.Generator().manual_seed(0))


def test_random_activations_pass_in_one_piece_and_streamed(activations: Tensor) -> None:
    check_activations("retain", activations)
    check = ActivationCheck("retain")
    for row in activations.split(1):
        assert check.take(row) is row
    check.end()


def test_nan_is_refused_with_its_layer(activations: Tensor) -> None:
    activations[2, 1, 0] = float("nan")
    with pytest.raises(BadInput, match=r"NaN or infinity on the retain set \(layers \[1\]\)"):
        check_activations("retain", activations)


def test_layer_without_variation_is_refused(activations: Tensor) -> None:
    activations[:, 2] = activations[0, 2].clone()
    with pytest.raises(BadInput, match=r"singular: 8 retain prompts look all the same at layers \[2\]"):
        check_activations("retain", activations)


def test_empty_set_is_refused(activations: Tensor) -> None:
    with pytest.raises(BadInput, match="empty"):
        check_activations("retain", activations[:0])


def test_direction_that_is_zero_or_nan_is_refused(activations: Tensor) -> None:
    check_directions(activations[0])
    with pytest.raises(BadInput, match="look the same"):
        check_directions(torch.zeros(3, 4))
    activations[2, 1, 0] = float("nan")
    with pytest.raises(BadInput, match="NaN"):
        check_directions(activations[2])


def test_layer_beyond_the_named_ones_is_the_input() -> None:
    """Rows of pictures have one layer more than the gate reads."""
    rows = torch.randn(3, 3, 4)
    rows[1, 2, 0] = float("nan")
    with pytest.raises(BadInput, match=r"layers \['input'\]"):
        ActivationCheck("calibration", (4, 7)).take(rows)
