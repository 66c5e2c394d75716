"""Matching windows of name tokens."""

from typing import Final

import torch
from torch import Tensor

WINDOW: Final = 4  # most tokens of a name, counted from its end


def _window_scores(windows: Tensor, lengths: Tensor, white: Tensor, of: Tensor) -> Tensor:
    """Mean cosine of the tokens that end at each row to each window [V, n, G, d]: [N, V]."""
    cosines = torch.einsum("nld,vjld->nvj", white, windows) / white.shape[1]
    total = torch.zeros(white.shape[0], windows.shape[0])
    for back in range(WINDOW):
        column = cosines[:, :, WINDOW - 1 - back]
        moved = torch.zeros_like(column)
        inside = torch.zeros(white.shape[0], dtype=torch.bool)
        moved[back:] = column[: white.shape[0] - back]
        inside[back:] = of[back:] == of[: white.shape[0] - back]
        wanted = lengths > back
        total += torch.where(wanted, torch.where(inside[:, None], moved, -1.0), 0.0)
    return total / lengths
