"""The paper's gate in its dual form."""

import torch
from torch import Tensor

from shared.errors import BadInput


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
