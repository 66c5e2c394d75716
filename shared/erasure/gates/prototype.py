"""The nearest-prototype gate: how close a prompt's last token is to the probes of a ticket, in the whitened space."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.erasure.recipe import Recipe


@dataclass(frozen=True)
class TicketGate:
    """Prototypes of one ticket [G, m, d], and its harmless questions [G, h, d]: unit vectors in the whitened space."""

    ticket: str
    prototypes: Tensor
    harmless: Tensor | None


def gate_scores(recipe: Recipe, white: Tensor, gates: Sequence[TicketGate]) -> Tensor:
    """`gate_score` of every gate at once: `white` [B, G, d] -> [B, K]."""
    scores = similarities(white, [gate.prototypes for gate in gates], recipe.neighbours)
    harmless = {index: gate.harmless for index, gate in enumerate(gates) if gate.harmless is not None}
    if harmless and recipe.harmless_weight:
        near = similarities(white, list(harmless.values()), recipe.neighbours).clamp(min=0)
        scores[:, list(harmless)] -= recipe.harmless_weight * near
    return scores


def gate_score(recipe: Recipe, white: Tensor, gate: TicketGate) -> Tensor:
    """Similarity to the prototypes, less that to the harmless questions times `harmless_weight`: [B, G, d] -> [B]."""
    score = similarity(white, gate.prototypes, recipe.neighbours)
    if gate.harmless is not None and recipe.harmless_weight:
        score = score - recipe.harmless_weight * similarity(white, gate.harmless, recipe.neighbours).clamp(min=0)
    return score


def leave_one_out_scores(recipe: Recipe, gate: TicketGate) -> Tensor:
    """Each prototype's score against the others of its ticket, [m]: how a new probe of the same person would score."""
    cosines = torch.einsum("lnd,lmd->lnm", gate.prototypes, gate.prototypes)
    count = gate.prototypes.shape[1]
    if count == 1:
        return torch.ones(1)
    cosines.diagonal(dim1=1, dim2=2).fill_(-1.0)
    score = cosines.topk(min(recipe.neighbours, count - 1), dim=-1).values.mean(dim=(0, 2))
    if gate.harmless is not None and recipe.harmless_weight:
        near = similarity(gate.prototypes.transpose(0, 1), gate.harmless, recipe.neighbours).clamp(min=0)
        score = score - recipe.harmless_weight * near
    return score


def similarity(white: Tensor, prototypes: Tensor, neighbours: int) -> Tensor:
    """Mean cosine to the nearest `neighbours` prototypes, averaged over layers: [B, L, d] and [L, m, d] -> [B]."""
    cosines = torch.einsum("bld,lmd->blm", white, prototypes)
    return cosines.topk(min(neighbours, prototypes.shape[1]), dim=-1).values.mean(dim=(1, 2))


def similarities(white: Tensor, prototypes: Sequence[Tensor], neighbours: int) -> Tensor:
    """`similarity` to each of K sets of prototypes [L, m, d], which may differ in m: [B, K], equal to 1e-6.

    The prototypes are read where they lie, never copied together: they are the largest thing an eraser has.
    """
    by_layer = white.transpose(0, 1)
    most = max(own.shape[1] for own in prototypes)
    cosines = white.new_full((by_layer.shape[0], by_layer.shape[1], len(prototypes), most), -torch.inf)
    for index, own in enumerate(prototypes):
        cosines[:, :, index, : own.shape[1]] = by_layer @ own.to(white.dtype).transpose(1, 2)
    nearest = cosines.topk(min(neighbours, most), dim=-1).values
    exists = nearest.isfinite()
    return (nearest.where(exists, 0).sum(dim=-1) / exists.sum(dim=-1)).mean(dim=0)


def merge_prototypes(vectors: Tensor, most: int, rounds: int = 10) -> Tensor:
    """At most `most` prototypes of unit `vectors` [L, n, d]: spherical k-means (Dhillon and Modha 2001), deterministic.

    It starts from evenly spaced vectors; a cluster that becomes empty keeps its centre.
    """
    count = vectors.shape[1]
    if count <= most:
        return vectors
    start = torch.linspace(0, count - 1, most).round().long()
    centres = vectors[:, start]
    for _ in range(rounds):
        nearest = torch.einsum("lnd,lmd->lnm", vectors, centres).argmax(dim=-1)
        sums = torch.zeros_like(centres).scatter_add_(1, nearest[..., None].expand_as(vectors), vectors)
        filled = sums.norm(dim=-1, keepdim=True) > 0
        centres = torch.where(filled, F.normalize(sums, dim=-1), centres)
    return centres
