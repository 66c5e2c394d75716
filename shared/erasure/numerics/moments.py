"""Count, mean and scatter of activations, streamed in float64: no more than one batch is ever held (method.md, 4).

Memory is L d² numbers however many rows come: 134 MB a layer at d = 4096.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor


class Moments:
    """Running moments of [n, L, d] activations, for each layer apart (Chan, Golub & LeVeque 1979)."""

    def __init__(self, layers: int, hidden: int) -> None:
        self.count = 0
        self.mean = torch.zeros(layers, hidden, dtype=torch.float64)
        self.scatter = torch.zeros(layers, hidden, hidden, dtype=torch.float64)

    def add(self, batch: Tensor) -> None:
        """Take in `batch` [n, L, d]: beside the scatter itself only the batch is held."""
        rows = batch.to(torch.float64).transpose(0, 1)  # [L, n, d]
        n = rows.shape[1]
        if n == 0:
            return
        mean = rows.mean(dim=1)
        shift = mean - self.mean
        total = self.count + n
        between = math.sqrt(self.count * n / total) * shift  # one more centred row: what lies between the means
        for layer, scatter in enumerate(self.scatter):
            centred = torch.cat([rows[layer] - mean[layer], between[layer : layer + 1]])
            scatter.addmm_(centred.T, centred)
        self.mean += shift * (n / total)
        self.count = total

    def second(self) -> Iterator[Tensor]:
        """C = H Hᵀ, [d, d], one layer after another (the paper's H_r H_rᵀ, not centred)."""
        for scatter, mean in zip(self.scatter, self.mean, strict=True):
            yield torch.addr(scatter, mean, mean, alpha=self.count)

    def covariance(self) -> Iterator[Tensor]:
        """Centred covariance, [d, d], one layer after another."""
        for scatter in self.scatter:
            yield scatter / max(self.count - 1, 1)
