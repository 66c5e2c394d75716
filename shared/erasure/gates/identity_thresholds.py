"""The thresholds of a version of the identity gate: a bound for each ticket, raised towards its own person.

No ticket moves another's bound. What other people score by chance has two sources: the ticket's own scores on the
calibration set, and how alike any two of the calibration people are, which supports smaller levels, as there are many
more pairs of people than people. Both are split-conformal quantiles (`conformal.py`) at the stated level, divided by
the channels and by the number of tickets, and the larger of the two counts. A level that the numbers do not support
gives the largest score; the report says what is supported.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.erasure.gates.identity import (
    EMBEDDED,
    MENTION,
    PICTURE,
    IdentityGate,
    embedded_portraits,
    mention_cosines,
    portrait_cosines,
)
from shared.erasure.gates.identity_fit import IdentityFit, IdentityStatistics
from shared.erasure.numerics.conformal import conformal_quantile

JOINT_RATE: Final = 0.03  # share of calibration prompts that may be near a ticket; counts only beside other evidence
CHANNELS: Final = {"picture": PICTURE, "mention": MENTION, "embedded": EMBEDDED}  # as the report names them


class Calibration(NamedTuple):
    """A gate, and the report on how its thresholds came about (part of the manifest)."""

    gate: IdentityGate
    report: dict[str, Any]


def calibrate(
    statistics: IdentityStatistics,
    tickets: Sequence[str],
    fits: Sequence[IdentityFit],
    level: float,
    margin: float,
    joint_rate: float = JOINT_RATE,
) -> Calibration:
    """The gate of `fits` with thresholds for a false-positive rate of `level` over the whole decision.

    Pictures and mentions get half of the level each, and both readers of pictures half of that (Bonferroni, as over
    the tickets). Each ticket's threshold is raised by `margin` (0..1) of the way from its bound to what its own person
    would score. A share `joint_rate` of the calibration prompts is near a ticket by picture, and by mention.
    """
    channels = 2 if statistics.embedded is None else 3
    bounds, joint = torch.full((len(fits), channels), -1.0), torch.full((len(fits), channels), float("inf"))
    readers = [(PICTURE, statistics.pictures, [fit.portraits for fit in fits])]
    if statistics.embedded is not None:
        readers.append((EMBEDDED, statistics.embedded, embedded_portraits(fits)))
    owners = torch.full((len(statistics.pictures),), -1) if statistics.known is None else statistics.known.owners
    share = level / 2 / len(fits)
    for channel, pictures, portraits in readers:
        scores = portrait_cosines(portraits, pictures)
        others = [scores[_is_other(fit, owners), number] for number, fit in enumerate(fits)]
        pairs = bound_of_pairs(pictures, owners, 1 - share / len(readers))
        bounds[:, channel] = _quantiles(others, 1 - share / len(readers), empty=-1.0).clamp(min=pairs)
        joint[:, channel] = _quantiles(others, 1 - joint_rate / len(readers), empty=float("inf"))
    if statistics.words.rows.shape[0]:
        prompts = int(statistics.words.of.max()) + 1
        by_token = mention_cosines(fits, statistics.words.rows, statistics.words.of)
        each = statistics.words.best(by_token, prompts).unbind(dim=1)
        bounds[:, MENTION] = _quantiles(each, 1 - share, empty=-1.0)
        joint[:, MENTION] = _quantiles(each, 1 - joint_rate, empty=float("inf"))
    thresholds = raised_thresholds(fits, bounds, margin)
    span_thresholds = torch.where(bounds > -1, bounds, thresholds)
    joint = torch.minimum(joint, thresholds)
    gate = IdentityGate(tuple(tickets), tuple(fits), thresholds, span_thresholds, statistics.spaces, joint)
    seen = len(owners[owners >= 0].unique())
    return Calibration(
        gate,
        {
            "level": level,
            "margin": margin,
            "joint_rate": joint_rate,
            "people": statistics.people,
            "supported_level_by_person": 1 / (statistics.people + 1),
            "supported_level_by_pair": 1 / (seen * (seen - 1) + 1),
            "bound": {name: float(bounds[:, at].max()) for name, at in CHANNELS.items() if at < channels},
            "bounds": {ticket: row.tolist() for ticket, row in zip(tickets, bounds, strict=True)},
            "own": {ticket: fit.own_scores.tolist() for ticket, fit in zip(tickets, fits, strict=True)},
            "thresholds": {ticket: row.tolist() for ticket, row in zip(tickets, thresholds, strict=True)},
        },
    )


def raised_thresholds(fits: Sequence[IdentityFit], bounds: Tensor, margin: float) -> Tensor:
    """[K, C]: bound + margin · max(0, own score - bound), for each ticket and channel; `bounds` [K, C]."""
    own = torch.stack([fit.own_scores for fit in fits])
    return bounds + margin * (own - bounds).clamp(min=0)


def reported_bounds(report: Mapping[str, Any], tickets: Sequence[str]) -> Tensor:
    """The bounds [K, C] that `calibrate` reported; one row for all tickets, [1, 2], where an old report has no more."""
    if "bounds" in report:
        return torch.tensor([report["bounds"][ticket] for ticket in tickets])
    return torch.tensor([[report["bound"]["picture"], report["bound"]["mention"]]])


def bound_of_pairs(pictures: Tensor, owners: Tensor, level: float) -> float:
    """What somebody else's picture scores against a person's photograph, at most, with probability `level`.

    `pictures` [c, L, d], unit vectors of the people `owners` [c] (-1: of nobody known), stand for new pictures, and
    the mean of each person's for the photograph of a ticket: P people give P (P - 1) pairs. -1 without a pair.
    """
    known = owners >= 0
    of, rows = owners[known], pictures[known]
    people = of.unique().tolist()
    faces = [F.normalize(rows[of == person].float().mean(dim=0), dim=-1)[None] for person in people]
    if len(people) < 2:
        return -1.0
    scores = portrait_cosines(faces, rows)
    return conformal_quantile(scores[of[:, None] != torch.tensor(people)], level)


def _is_other(fit: IdentityFit, owners: Tensor) -> Tensor:
    """Which calibration pictures [c] show somebody other than the ticket's person."""
    if fit.resembles is None:
        return torch.ones(len(owners), dtype=torch.bool)
    return ~torch.isin(owners, fit.resembles)


def _quantiles(scores: Sequence[Tensor], level: float, *, empty: float) -> Tensor:
    """The conformal quantile of each ticket's `scores`, [K]; `empty` for one without a score."""
    return torch.tensor([conformal_quantile(own, level) if len(own) else empty for own in scores])
