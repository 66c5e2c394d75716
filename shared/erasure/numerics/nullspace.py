"""The null space: directions that retained answers hardly use, as a basis (the paper's equations 8 and 9)."""

import torch
from torch import Tensor


def null_basis(second_moment: Tensor, rho: float) -> Tensor:
    """Orthonormal basis [d, k] of the eigenvectors of `second_moment` [d, d] (float64) with the smallest eigenvalues.

    k = round(rho · d), but at least the numerical null space. At real sizes C = H Hᵀ has full rank, so that this is a
    truncation; with few retain prompts all directions that they leave free are kept. The basis stands for the projector
    P = basis basisᵀ, which is never formed.
    """
    values, vectors = torch.linalg.eigh(second_moment)
    free = int(
        (values <= values[-1].clamp(min=0) * second_moment.shape[0] * torch.finfo(second_moment.dtype).eps).sum()
    )
    kept = max(round(rho * second_moment.shape[0]), free, 1)
    basis: Tensor = vectors[:, :kept].contiguous()
    return basis
