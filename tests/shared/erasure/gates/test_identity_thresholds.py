"""Bounds of the identity gate."""

import pytest
import torch

from shared.erasure.gates.identity_thresholds import bound_of_pairs


def test_bound_of_pairs_is_what_other_people_score() -> None:
    """Four people, each along an axis of its own, and two of them alike: the bound is their likeness, at most."""
    axes = torch.eye(8)[:4, None]
    alike = torch.nn.functional.normalize(axes[0] + axes[3], dim=-1)
    pictures = torch.stack([axes[0], axes[0], axes[1], axes[1], axes[2], axes[2], alike, alike])
    owners = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    assert bound_of_pairs(pictures, owners, 0.999) == pytest.approx(0.5**0.5)
    assert bound_of_pairs(pictures, owners, 0.5) == pytest.approx(0.0)
    assert bound_of_pairs(pictures[:2], owners[:2], 0.5) == -1.0
    assert bound_of_pairs(pictures, torch.full((8,), -1), 0.5) == -1.0
