"""Count, mean and scatter of activations, streamed in float64: never more than one batch is held.

Memory is L d² numbers, however many activations come: 134 MB for each layer at d = 4096.
"""

import math
from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

SCATTER_BYTES: Final = 4 << 30  # most memory for scatter matrices: 32 layers at d = 4096
WIDE: Final = 1024  # from this width on, rows of several groups are multiplied at once: ten times as fast at d = 4096
ROWS_AT_ONCE: Final = 256  # so many of them


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


class WithinGroupMoments:
    """The mean of all activations, and how they scatter around the mean of their own group, layer by layer.

    `mean` [L, d]; `scatter` [L, d, d] is the sum over all groups of (h - mean of the group)(h - mean of the group)ᵀ,
    which has `degrees_of_freedom`: activations less groups.
    """

    def __init__(self, layers: int, hidden: int) -> None:
        self.count = self.degrees_of_freedom = 0
        self.mean = torch.zeros(layers, hidden, dtype=torch.float64)
        self.scatter = torch.zeros(layers, hidden, hidden, dtype=torch.float64)
        self._waiting: list[Tensor] = []

    def add(self, group: Tensor) -> None:
        """Take in the activations [n, L, d] of one more group."""
        rows = group.to(torch.float64).transpose(0, 1)  # [L, n, d]
        n = rows.shape[1]
        if n == 0:
            return
        own_mean = rows.mean(dim=1)
        self.mean += (own_mean - self.mean) * (n / (self.count + n))
        self.count += n
        self.degrees_of_freedom += n - 1
        self._waiting.append(rows - own_mean[:, None])
        if not self._wide or sum(centred.shape[1] for centred in self._waiting) >= ROWS_AT_ONCE:
            self._multiply()

    def covariances(self) -> Iterator[Tensor]:
        """Pooled covariance within the groups [d, d], one layer after another."""
        if self._waiting:
            self._multiply()
        for scatter in self.scatter:
            yield scatter / self.degrees_of_freedom

    @property
    def _wide(self) -> bool:
        """Whether several groups are multiplied at once; each by itself, small models keep the bits they always had."""
        return self.mean.shape[1] >= WIDE

    def _multiply(self) -> None:
        centred = torch.cat(self._waiting, dim=1)
        self._waiting.clear()
        for scatter, rows in zip(self.scatter, centred, strict=True):
            if self._wide:
                scatter.addmm_(rows.T, rows)
            else:
                scatter.add_(rows.T @ rows)
