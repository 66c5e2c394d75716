"""The paper's linear gate, by its rank-one dual form (equation 12).

Its D repeats one column u, so that W P = u rᵀ: an n x n solve in place of a d x d pseudoinverse.
"""

import torch
from torch import Tensor

from shared.errors import BadInput


def project(basis: Tensor, probes: Tensor) -> Tensor:
    """(P H)ᵀ [n, d], float64: `probes` Hᵀ [n, d] projected into the null space, P = basis basisᵀ with `basis` [d, k].

    It depends on the space and not on the basis chosen for it, so it can be kept when the basis is computed anew.
    """
    projected: Tensor = (probes.to(torch.float64) @ basis) @ basis.T
    return projected


def linear_gate(projected: Tensor, gamma: float, *, absolute: bool = False) -> Tensor:
    """r = P H (Hᵀ P H + γ I)⁻¹ 1, [d], float64: r·h is near 1 for probes and 0 in the retain span.

    `projected` [n, d] are the probes (P H)ᵀ of all tickets. γ is relative to trace(HᵀPH)/n unless `absolute`.
    """
    gate: Tensor = projected.T @ dual_weights(projected @ projected.T, gamma, absolute=absolute)
    return gate


def dual_weights(gram: Tensor, gamma: float, *, absolute: bool = False) -> Tensor:
    """(G + γ I)⁻¹ 1, [n], for `gram` G [n, n] = HᵀPH, by Cholesky; γ is relative to trace(G)/n unless `absolute`.

    Raises BadInput where G is not finite, or where γ is too small for a singular G.
    """
    n = gram.shape[0]
    ridge = gamma if absolute else gamma * float(gram.diagonal().mean())
    factor, failed = torch.linalg.cholesky_ex(gram + max(ridge, 1e-12) * torch.eye(n, dtype=torch.float64))
    if int(failed):
        raise BadInput("The forget prompts give no linear gate: their Gram matrix is singular or not finite.")
    return torch.cholesky_solve(torch.ones(n, 1, dtype=torch.float64), factor)[:, 0]
