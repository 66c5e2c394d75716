"""The two gates: the paper's linear one by its dual solve, and nearest prototypes in the retain-whitened space.

Everything is float64 until it is read; knows nothing of where activations come from.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


def linear_gate(basis: Tensor, forget: Tensor, gamma: float, *, absolute: bool = False) -> Tensor:
    """r = P H (Hᵀ P H + γ I)⁻¹ 1, the rank-one form of equation 12 (method.md, section 3).

    `basis` [d, k] spans the null space (P = basis basisᵀ), `forget` [n, d] are the rows Hᵀ; returns r [d], float64.
    γ is relative to trace(HᵀPH)/n unless `absolute`.
    """
    inside = forget.to(torch.float64) @ basis  # [n, k] = Hᵀ basis
    gram = inside @ inside.T
    n = gram.shape[0]
    ridge = gamma if absolute else gamma * float(gram.diagonal().mean())
    solved = torch.linalg.solve(gram + max(ridge, 1e-12) * torch.eye(n, dtype=torch.float64), torch.ones(n).double())
    gate: Tensor = basis @ (inside.T @ solved)
    return gate


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
    def fit(cls, mean: Tensor, covariance: Tensor, rank: int, shrinkage: float) -> "Whitener":
        """From float64 moments; every eigenvalue is shrunk towards the mean one by `shrinkage`."""
        hidden = covariance.shape[-1]
        rank = min(rank, hidden)
        values, vectors = torch.linalg.eigh(covariance)
        level = values.mean(dim=1, keepdim=True).clamp(min=1e-12)
        shrunk = (1 - shrinkage) * values.clamp(min=0) + shrinkage * level
        rest = shrunk[:, : hidden - rank].mean(dim=1) if rank < hidden else shrunk[:, 0]
        return cls(
            mean.float(),
            vectors[:, :, hidden - rank :].float().contiguous(),
            shrunk[:, hidden - rank :].rsqrt().float(),
            rest.rsqrt().float(),
        )

    def __call__(self, rows: Tensor) -> Tensor:
        """Unit vectors in the whitened space: rows [B, L, d] -> [B, L, d]."""
        centred = rows.to(self.mean.dtype) - self.mean
        inside = torch.einsum("bld,ldk->blk", centred, self.basis)
        outside = centred - torch.einsum("blk,ldk->bld", inside, self.basis)
        white = torch.einsum("blk,ldk->bld", inside * self.scales, self.basis) + outside * self.rest[:, None]
        return F.normalize(white, dim=-1)


def likeness(white: Tensor, prototypes: Tensor, neighbours: int) -> Tensor:
    """Mean cosine to the nearest prototypes, averaged over layers.

    white [B, L, d] and prototypes [L, m, d] are unit vectors; returns [B].
    """
    cosines = torch.einsum("bld,lmd->blm", white, prototypes)
    return cosines.topk(min(neighbours, prototypes.shape[1]), dim=-1).values.mean(dim=(1, 2))


def merged(rows: Tensor, most: int, rounds: int = 10) -> Tensor:
    """At most `most` prototypes of unit rows [L, n, d]: spherical k-means from evenly spaced rows. Deterministic."""
    count = rows.shape[1]
    if count <= most:
        return rows
    start = torch.linspace(0, count - 1, most).round().long()
    centres = rows[:, start]
    for _ in range(rounds):
        nearest = torch.einsum("lnd,lmd->lnm", rows, centres).argmax(dim=-1)
        sums = torch.zeros_like(centres).scatter_add_(1, nearest[..., None].expand_as(rows), rows)
        filled = sums.norm(dim=-1, keepdim=True) > 0
        centres = torch.where(filled, F.normalize(sums, dim=-1), centres)
    return centres
