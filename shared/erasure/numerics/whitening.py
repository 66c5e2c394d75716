"""The two gates: the paper's linear one by its dual solve, and nearest prototypes in the retain-whitened space.

Everything is float64 until it is read; knows nothing of where activations come from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Final

import scipy.linalg
import torch
import torch.nn.functional as F
from torch import Tensor

FEW: Final = 4  # from d = 4 k on a whitener of rank k finds its k eigenvectors alone (d = 4096, k = 256: 4 s, all 14 s)


@dataclass(frozen=True)
class Whitener:
    """x -> W (x - mean), for each layer: leading directions scaled one by one, the rest by one number.

    mean [L, d], basis [L, d, k], scales [L, k], rest [L]; O(k d) a vector, never a d x d matrix.
    """

    mean: Tensor
    basis: Tensor
    scales: Tensor
    rest: Tensor

    @classmethod
    def fit(cls, mean: Tensor, covariance: Iterable[Tensor], rank: int, shrinkage: float) -> "Whitener":
        """From float64 moments [L, d] and [L, d, d] (or one [d, d] after another: then one is held at a time).

        Every eigenvalue is shrunk towards the mean one by `shrinkage`. Only the leading `rank` directions and the trace
        enter, so where d is many times the rank no others are computed (LAPACK's syevr, as exact).
        """
        layers = [_leading(one, min(rank, one.shape[0]), shrinkage) for one in covariance]
        basis, scales, rest = (torch.stack(column) for column in zip(*layers, strict=True))
        return cls(mean.float(), basis, scales, rest)

    @classmethod
    def joined(cls, parts: Sequence["Whitener"]) -> "Whitener":
        """The layers of all `parts`, one after another."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def __call__(self, rows: Tensor) -> Tensor:
        """Unit vectors in the whitened space: rows [B, L, d] -> [B, L, d]."""
        centred = rows.to(self.mean.dtype) - self.mean
        inside = torch.einsum("bld,ldk->blk", centred, self.basis)
        outside = centred - torch.einsum("blk,ldk->bld", inside, self.basis)
        white = torch.einsum("blk,ldk->bld", inside * self.scales, self.basis) + outside * self.rest[:, None]
        return F.normalize(white, dim=-1)


def _leading(covariance: Tensor, rank: int, shrinkage: float) -> tuple[Tensor, Tensor, Tensor]:
    """Basis [d, rank], scales [rank] and rest [] of one layer, float32."""
    hidden = covariance.shape[0]
    if rank * FEW <= hidden:
        found = scipy.linalg.eigh(covariance.numpy(), subset_by_index=[hidden - rank, hidden - 1], driver="evr")
        top, vectors = (torch.from_numpy(one) for one in found)
        trace = covariance.diagonal().sum()
        level = (trace / hidden).clamp(min=1e-12)
        remainder = ((trace - top.sum()) / (hidden - rank)).clamp(min=0)
    else:
        values, vectors = torch.linalg.eigh(covariance)
        level = values.mean().clamp(min=1e-12)
        top, vectors = values[hidden - rank :], vectors[:, hidden - rank :]
        remainder = values[: hidden - rank].clamp(min=0).mean() if rank < hidden else values[0].clamp(min=0)
    scales = ((1 - shrinkage) * top.clamp(min=0) + shrinkage * level).rsqrt()
    rest = ((1 - shrinkage) * remainder + shrinkage * level).rsqrt()
    return vectors.float().contiguous(), scales.float(), rest.float()
