"""Count, mean and scatter of activations, streamed in float64: never more than one batch is held.

Memory is L d² numbers, however many activations come: 134 MB for each layer at d = 4096.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor


class Moments:
    """Running moments of activations [n, L, d], layer by layer (Chan, Golub and LeVeque 1979).

    `mean` [L, d]; `scatter` [L, d, d] is the sum of (h - mean)(h - mean)ᵀ.
    """

    def __init__(self, layers: int, hidden: int) -> None:
        self.count = 0
        self.mean = torch.zeros(layers, hidden, dtype=torch.float64)
        self.scatter = torch.zeros(layers, hidden, hidden, dtype=torch.float64)

    def add(self, batch: Tensor) -> None:
        """Take in `batch` [n, L, d]."""
        rows = batch.to(torch.float64).transpose(0, 1)  # [L, n, d]
        n = rows.shape[1]
        if n == 0:
            return
        mean = rows.mean(dim=1)
        shift = mean - self.mean
        total = self.count + n
        between = math.sqrt(self.count * n / total) * shift  # the distance of the two means, as one more centred row
        for layer, scatter in enumerate(self.scatter):
            centred = torch.cat([rows[layer] - mean[layer], between[layer : layer + 1]])
            scatter.addmm_(centred.T, centred)
        self.mean += shift * (n / total)
        self.count = total

    def second_moments(self) -> Iterator[Tensor]:
        """C = H Hᵀ [d, d], not centred (the paper's H_r H_rᵀ), one layer after another."""
        for scatter, mean in zip(self.scatter, self.mean, strict=True):
            yield torch.addr(scatter, mean, mean, alpha=self.count)

    def covariances(self) -> Iterator[Tensor]:
        """Sample covariance [d, d], one layer after another."""
        for scatter in self.scatter:
            yield scatter / max(self.count - 1, 1)
