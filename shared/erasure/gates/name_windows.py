"""Matches the last tokens of a name, as windows of unit vectors, against the tokens of prompts and answers."""

from typing import Final

import torch
from torch import Tensor

WINDOW: Final = 4  # most tokens of a name that are compared, counted from its end
CHUNK_BYTES: Final = 128 << 20  # of float32 tokens that are compared at once


def window_scores(windows: Tensor, lengths: Tensor, tokens: Tensor, of: Tensor) -> Tensor:
    """How well the tokens that end at each place read as each window: mean cosine [N, V].

    `windows` [V, n, G, d] hold V names aligned at their end, `lengths` [V] their tokens; `tokens` [N, G, d], float32 or
    float16, are unit vectors of the prompts `of` [N]. Cosines are averaged over the G layers and over the window's
    tokens. A token before the begin of the prompt counts as -1: no window spans two prompts.
    """
    most = max(1, CHUNK_BYTES // (4 * max(1, tokens.shape[1] * tokens.shape[2])))
    parts = [torch.einsum("nld,vjld->nvj", part.float(), windows) for part in tokens.split(most)]
    cosines = torch.cat(parts) / tokens.shape[1]
    total = torch.zeros(tokens.shape[0], windows.shape[0])
    for back in range(WINDOW):
        column = cosines[:, :, WINDOW - 1 - back]
        shifted = torch.zeros_like(column)
        same_prompt = torch.zeros(tokens.shape[0], dtype=torch.bool)
        shifted[back:] = column[: tokens.shape[0] - back]
        same_prompt[back:] = of[back:] == of[: tokens.shape[0] - back]
        in_window = lengths > back
        total += torch.where(in_window, torch.where(same_prompt[:, None], shifted, -1.0), 0.0)
    return total / lengths
