"""Nearest-prototype gate."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.erasure.recipe import Recipe


@dataclass(frozen=True)
class TicketGate:
    """Prototypes of one ticket [G, m, d], and its harmless questions [G, h, d]."""

    ticket: str
    rows: Tensor
    harmless: Tensor | None


def _scores(recipe: Recipe, white: Tensor, gates: Sequence[TicketGate]) -> Tensor:
    """`_score` of every gate at once, [B, K]."""
    scores = likenesses(white, [gate.rows for gate in gates], recipe.neighbours)
    beside = {place: gate.harmless for place, gate in enumerate(gates) if gate.harmless is not None}
    if beside and recipe.harmless_weight:
        near = likenesses(white, list(beside.values()), recipe.neighbours).clamp(min=0)
        scores[:, list(beside)] -= recipe.harmless_weight * near
    return scores


def _score(recipe: Recipe, white: Tensor, gate: TicketGate) -> Tensor:
    score = likeness(white, gate.rows, recipe.neighbours)
    if gate.harmless is not None and recipe.harmless_weight:
        score = score - recipe.harmless_weight * likeness(white, gate.harmless, recipe.neighbours).clamp(min=0)
    return score


def _left_out(recipe: Recipe, gate: TicketGate) -> Tensor:
    """Each prototype's likeness to the others of its ticket, [m]: how a new probe of the same person would score."""
    cosines = torch.einsum("lnd,lmd->lnm", gate.rows, gate.rows)
    count = gate.rows.shape[1]
    if count == 1:
        return torch.ones(1)
    cosines.diagonal(dim1=1, dim2=2).fill_(-1.0)
    score = cosines.topk(min(recipe.neighbours, count - 1), dim=-1).values.mean(dim=(0, 2))
    if gate.harmless is not None and recipe.harmless_weight:
        beside = likeness(gate.rows.transpose(0, 1), gate.harmless, recipe.neighbours).clamp(min=0)
        score = score - recipe.harmless_weight * beside
    return score


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
