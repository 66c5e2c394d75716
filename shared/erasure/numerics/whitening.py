"""A low-rank whitener: evens out how the retain set varies, so that cosines compare what is left.

Fitted in float64, stored and applied in float32.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Final

import scipy.linalg
import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK_BYTES: Final = 128 << 20  # of activations that are whitened at once; takes five times as much for a moment
PARTIAL_FROM: Final = 4  # d >= 4 rank: only `rank` eigenvectors are computed (d = 4096, rank 256: 4 s; all: 14 s)


@dataclass(frozen=True)
class Whitener:
    """x -> W (x - mean) at each layer, with W = V diag(scales) Vᵀ + rest (I - V Vᵀ) for the basis V.

    mean [L, d], basis [L, d, k], scales [L, k], rest [L]. O(k d) for each vector; no d x d matrix is ever formed.
    """

    mean: Tensor
    basis: Tensor
    scales: Tensor
    rest: Tensor

    @classmethod
    def fit(cls, mean: Tensor, covariance: Iterable[Tensor], rank: int, shrinkage: float) -> "Whitener":
        """From float64 means [L, d] and one covariance [d, d] after another; one is held at a time.

        W is the inverse square root of the covariance whose eigenvalues are shrunk towards their mean by `shrinkage`
        (0..1), with the eigenvalues beyond the leading `rank` replaced by their average. Only the leading directions
        and the trace enter: where d is many times the rank, the others are not computed (LAPACK syevr, as exact).
        """
        layers = [_fit_layer(matrix, min(rank, matrix.shape[0]), shrinkage) for matrix in covariance]
        basis, scales, rest = (torch.stack(column) for column in zip(*layers, strict=True))
        return cls(mean.float(), basis, scales, rest)

    @classmethod
    def joined(cls, parts: Sequence["Whitener"]) -> "Whitener":
        """The layers of all `parts`, one after another."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def at(self, start: int, end: int) -> "Whitener":
        """Its layers from `start` to before `end`."""
        return Whitener(*(getattr(self, field.name)[start:end].contiguous() for field in fields(self)))

    def __call__(self, rows: Tensor) -> Tensor:
        """Unit vectors in the whitened space: rows [B, L, d] -> [B, L, d]; beside them it holds a few CHUNK_BYTES."""
        most = max(1, CHUNK_BYTES // (4 * self.mean.numel()))
        if rows.shape[0] <= most:
            return self._whitened(rows)
        white = torch.empty(rows.shape, dtype=self.mean.dtype)
        for start in range(0, rows.shape[0], most):
            white[start : start + most] = self._whitened(rows[start : start + most])
        return white

    def _whitened(self, rows: Tensor) -> Tensor:
        centred = rows.to(self.mean.dtype) - self.mean
        inside = torch.einsum("bld,ldk->blk", centred, self.basis)
        outside = centred - torch.einsum("blk,ldk->bld", inside, self.basis)
        white = torch.einsum("blk,ldk->bld", inside * self.scales, self.basis) + outside * self.rest[:, None]
        return F.normalize(white, dim=-1)


def _fit_layer(covariance: Tensor, rank: int, shrinkage: float) -> tuple[Tensor, Tensor, Tensor]:
    """The basis [d, rank], scales [rank] and rest [] of one layer, float32."""
    hidden = covariance.shape[0]
    if rank * PARTIAL_FROM <= hidden:
        eigen = scipy.linalg.eigh(covariance.numpy(), subset_by_index=[hidden - rank, hidden - 1], driver="evr")
        top, vectors = (torch.from_numpy(part) for part in eigen)
        trace = covariance.diagonal().sum()
        mean = (trace / hidden).clamp(min=1e-12)
        remainder = ((trace - top.sum()) / (hidden - rank)).clamp(min=0)
    else:
        values, vectors = torch.linalg.eigh(covariance)
        mean = values.mean().clamp(min=1e-12)
        top, vectors = values[hidden - rank :], vectors[:, hidden - rank :]
        remainder = values[: hidden - rank].clamp(min=0).mean() if rank < hidden else values[0].clamp(min=0)
    scales = ((1 - shrinkage) * top.clamp(min=0) + shrinkage * mean).rsqrt()
    rest = ((1 - shrinkage) * remainder + shrinkage * mean).rsqrt()
    return vectors.float().contiguous(), scales.float(), rest.float()
