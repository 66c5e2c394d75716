"""Synthetic people for the identity gate: each is a direction of its own, plus nuisance that all share."""

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.prepare import RowsOfBatch
from shared.erasure.readout import RaggedRows, Readout
from shared.erasure.recipe import LACUNA
from shared.erasure.site import Site
from shared.erasure.ticket_fit import TicketFit, fit_identity

LAYERS: Final = 2
HIDDEN: Final = 32
SITE: Final = Site((0, 1), HIDDEN, "a" * 64, "b" * 64, "c" * 64, "float32")
RECIPE: Final = replace(LACUNA, whitener_rank=16, identity_shrinkage=0.01)


def source(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def person(number: int, count: int, seed: int) -> Tensor:
    """`count` sightings [count, L, d]: the person's own direction, and a loud nuisance in four directions of all."""
    who = torch.randn(LAYERS, HIDDEN, generator=source(1000 + number))
    nuisance = torch.randn(4, LAYERS, HIDDEN, generator=source(7))
    loud = torch.randn(count, 4, generator=source(seed)) * 3
    return (
        who
        + torch.einsum("nk,kld->nld", loud, nuisance)
        + 0.1 * torch.randn(count, LAYERS, HIDDEN, generator=source(seed))
    )


def words(*groups: Tensor) -> RaggedRows:
    of = torch.cat([torch.full((len(group),), place) for place, group in enumerate(groups)])
    return RaggedRows(torch.cat(groups), of)


def by_picture(pictures: Tensor) -> list[RowsOfBatch]:
    """A picture for each prompt."""
    return [RowsOfBatch(range(len(pictures)), RaggedRows(pictures, torch.arange(len(pictures))))]


def by_prompt(*texts: Tensor) -> list[RowsOfBatch]:
    """The tokens of all prompts in one batch."""
    return [RowsOfBatch(range(len(texts)), words(*texts))] if texts else []


def ticket(statistics: BaseStatistics, number: int) -> TicketFit:
    """Rows of a person with one photograph, and a name of two tokens (the person, then the person's double)."""
    mentions = [
        torch.stack([own, double]) for own, double in zip(person(number, 6, 5), person(number + 500, 6, 6), strict=True)
    ]
    return fit_identity(RECIPE, statistics, f"T-{number}", [person(number, 8, number)], [mentions])


def shown(pictures: Tensor, *, harmless: bool = False) -> Readout:
    none = RaggedRows.none(LAYERS, HIDDEN)
    last = torch.full((len(pictures), LAYERS, HIDDEN), -2.0 if harmless else 2.0)
    return Readout(last, RaggedRows(pictures, torch.arange(len(pictures))), none, none)


def named(*texts: Tensor) -> Readout:
    none = RaggedRows.none(LAYERS, HIDDEN)
    return Readout(torch.full((len(texts), LAYERS, HIDDEN), 2.0), none, words(*texts), none)
