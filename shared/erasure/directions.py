"""The pull: from what a model does when it tells towards what it does when it declines (equation 7). Tensors only."""

import torch
import torch.nn.functional as F
from torch import Tensor


def erasure_direction(declined: Tensor, told: Tensor) -> Tensor:
    """mean(declined) - mean(told): [n, L, d] and [m, L, d] -> [L, d], float64."""
    return declined.to(torch.float64).mean(dim=0) - told.to(torch.float64).mean(dim=0)


def split_half_cosine(declined: Tensor, told: Tensor) -> Tensor:
    """Cosine [L] between the directions of the even and of the odd samples: how far the pull is more than noise."""
    even = erasure_direction(declined[::2], told[::2])
    odd = erasure_direction(declined[1::2], told[1::2])
    return F.cosine_similarity(even, odd, dim=-1)
