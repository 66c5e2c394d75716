"""The split-conformal quantile: a threshold that a new score exceeds with at most a stated probability."""

import math

from torch import Tensor


def conformal_quantile(scores: Tensor, level: float) -> float:
    """The ⌈(n + 1) · level⌉-th smallest of the calibration `scores` [n]; `level` is the coverage 1 - α, in 0..1.

    If calibration scores and a new one are exchangeable, the new one is at most this with probability at least `level`
    (split conformal prediction: Vovk, Gammerman and Shafer 2005; Angelopoulos and Bates 2021, section 1). This needs
    level ≤ n / (n + 1); above it no finite threshold has the guarantee, and the largest score is returned.
    """
    rank = min(math.ceil((scores.shape[0] + 1) * level), scores.shape[0])
    return float(scores.sort().values[rank - 1])
