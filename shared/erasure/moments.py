"""Count, mean and scatter of activations, streamed in float64: no more than one batch is ever held (method.md, 4)."""

import torch
from torch import Tensor


class Moments:
    """Running moments of [n, L, d] activations, for each layer apart (Chan, Golub & LeVeque 1979)."""

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
        centred = rows - mean[:, None]
        shift = mean - self.mean
        total = self.count + n
        self.scatter += centred.transpose(1, 2) @ centred
        self.scatter += (self.count * n / total) * shift[:, :, None] * shift[:, None, :]
        self.mean += shift * (n / total)
        self.count = total

    def second(self) -> Tensor:
        """C = H Hᵀ, [L, d, d] (the paper's H_r H_rᵀ, not centred)."""
        return self.scatter + self.count * self.mean[:, :, None] * self.mean[:, None, :]

    def covariance(self) -> Tensor:
        """Centred covariance, [L, d, d]."""
        return self.scatter / max(self.count - 1, 1)
