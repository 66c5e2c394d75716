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

from shared.errors import BadInput

FEW: Final = 4  # from d = 4 k on a whitener of rank k finds its k eigenvectors alone (d = 4096, k = 256: 4 s, all 14 s)


def projected(basis: Tensor, forget: Tensor) -> Tensor:
    """(P H)ᵀ [n, d], float64: the rows `forget` Hᵀ in the null space that `basis` [d, k] spans, P = basis basisᵀ.

    Depends on the space and not on the basis chosen for it, so it may be kept where the basis is computed anew.
    """
    found: Tensor = (forget.to(torch.float64) @ basis) @ basis.T
    return found


def linear_gate(seen: Tensor, gamma: float, *, absolute: bool = False) -> Tensor:
    """r = P H (Hᵀ P H + γ I)⁻¹ 1, the rank-one form of equation 12 (method.md, section 3), [d], float64.

    `seen` [n, d] are `projected` rows of all tickets. γ is relative to trace(HᵀPH)/n unless `absolute`.
    """
    gate: Tensor = seen.T @ dual_weights(seen @ seen.T, gamma, absolute=absolute)
    return gate


def dual_weights(gram: Tensor, gamma: float, *, absolute: bool = False) -> Tensor:
    """(G + γ I)⁻¹ 1, [n], for `gram` G [n, n] = HᵀPH, by Cholesky; γ is relative to trace(G)/n unless `absolute`.

    Raises BadInput where G is not finite, or γ too small to tell the prompts apart.
    """
    n = gram.shape[0]
    ridge = gamma if absolute else gamma * float(gram.diagonal().mean())
    factor, failed = torch.linalg.cholesky_ex(gram + max(ridge, 1e-12) * torch.eye(n, dtype=torch.float64))
    if int(failed):
        raise BadInput("The forget prompts give no linear gate: their Gram matrix is singular or not finite.")
    return torch.cholesky_solve(torch.ones(n, 1, dtype=torch.float64), factor)[:, 0]


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


def likeness(white: Tensor, prototypes: Tensor, neighbours: int) -> Tensor:
    """Mean cosine to the nearest prototypes, averaged over layers.

    white [B, L, d] and prototypes [L, m, d] are unit vectors; returns [B].
    """
    cosines = torch.einsum("bld,lmd->blm", white, prototypes)
    return cosines.topk(min(neighbours, prototypes.shape[1]), dim=-1).values.mean(dim=(1, 2))


def likenesses(white: Tensor, prototypes: Sequence[Tensor], neighbours: int) -> Tensor:
    """`likeness` to each of K sets of prototypes [L, m, d], which may differ in m: [B, K], equal to 1e-6.

    The rows are read where they lie, never copied together: they are the largest thing an eraser has.
    """
    across = white.transpose(0, 1)
    most = max(rows.shape[1] for rows in prototypes)
    cosines = white.new_full((across.shape[0], across.shape[1], len(prototypes), most), -torch.inf)
    for place, rows in enumerate(prototypes):
        cosines[:, :, place, : rows.shape[1]] = across @ rows.to(white.dtype).transpose(1, 2)
    near = cosines.topk(min(neighbours, most), dim=-1).values
    found = near.isfinite()
    return (near.where(found, 0).sum(dim=-1) / found.sum(dim=-1)).mean(dim=0)


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
