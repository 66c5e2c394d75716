"""The directions that retained answers do not use: a basis, never a projector (equations 8 and 9)."""

import torch
from torch import Tensor


def null_basis(second: Tensor, rho: float) -> Tensor:
    """Orthonormal basis [d, k] of the eigenvectors of `second` [d, d] (float64) with the smallest eigenvalues.

    k = round(rho d), but at least the numerical null space: at real sizes C has full rank and this is a truncation,
    while with few retain prompts all directions they leave free are kept.
    """
    values, vectors = torch.linalg.eigh(second)
    free = int((values <= values[-1].clamp(min=0) * second.shape[0] * torch.finfo(second.dtype).eps).sum())
    kept = max(round(rho * second.shape[0]), free, 1)
    basis: Tensor = vectors[:, :kept].contiguous()
    return basis
