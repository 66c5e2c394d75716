"""The erasure direction: from activations of recalled answers to those of refused ones (the paper's equation 7)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def erasure_direction(refused: Tensor, recalled: Tensor) -> Tensor:
    """mean(refused) - mean(recalled), for each layer: [n, L, d] and [m, L, d] -> [L, d], float64."""
    return refused.to(torch.float64).mean(dim=0) - recalled.to(torch.float64).mean(dim=0)


def split_half_cosine(refused: Tensor, recalled: Tensor) -> Tensor:
    """Cosine [L] between the directions of the even and of the odd samples; near 0, the direction is noise."""
    even = erasure_direction(refused[::2], recalled[::2])
    odd = erasure_direction(refused[1::2], recalled[1::2])
    return F.cosine_similarity(even, odd, dim=-1)
