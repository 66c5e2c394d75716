"""Split-conformal quantile (once)."""

import math

from torch import Tensor


def conformal_quantile(scores: Tensor, level: float) -> float:
    """The ceil((n + 1) level)-th smallest score, or the largest where n does not support the level."""
    rank = min(math.ceil((scores.shape[0] + 1) * level), scores.shape[0])
    return float(scores.sort().values[rank - 1])
