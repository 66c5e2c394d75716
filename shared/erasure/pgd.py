"""Projected gradient descent on a picture (equations 5 and 6; Madry et al. 2018). Knows no model."""

from collections.abc import Callable

import torch
from torch import Tensor

Loss = Callable[[Tensor], Tensor]


def perturb(
    pixels: Tensor,
    loss: Loss,
    *,
    epsilon: float,
    steps: int,
    step_size: float = 2 / 255,
    progress: Callable[[int, float], None] | None = None,
) -> Tensor:
    """Pixels within `epsilon` (l_inf) of `pixels` [B, 3, H, W] (0..1, before normalisation) that make `loss` small.

    `loss` maps pixels to a scalar. Each step is `step_size` along the sign of the gradient; every iterate is clamped to
    the l_inf ball and to valid pixels. Deterministic. `progress` is called with the step and its loss.
    """
    clean = pixels.detach()
    moved = clean.clone()
    for step in range(steps):
        moved.requires_grad_()
        value = loss(moved)
        (gradient,) = torch.autograd.grad(value, moved)
        with torch.no_grad():
            moved = moved - step_size * gradient.sign()
            moved = torch.maximum(torch.minimum(moved, clean + epsilon), clean - epsilon).clamp(0, 1)
        if progress is not None:
            progress(step, float(value))
    return moved.detach()
