"""Whose answers are the erased model's answers nearer to: those about strangers, or the base model's own?

A relative three-sample test after Bounliphone et al. (2016, arXiv 1511.04581), with the energy distance (Székely and
Rizzo 2013) between samples of texts, and a permutation test in place of the asymptotic one: samples are small, and
answers repeat each other.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from shared.evaluation.scorers import normalised

PERMUTATIONS: Final = 1999
FEWEST: Final = 5  # texts of each sample; with fewer no p-value could be small
TextDistance = Callable[[str, str], float]


@dataclass(frozen=True)
class Nearness:
    """`difference`: the energy distance to the base model's answers less that to the answers about strangers.

    It is positive where the erased model answers as about a stranger. `p_value`: how often a difference at least as
    large comes about where base answers and answers about strangers are exchanged at random.
    """

    difference: float
    p_value: float

    @property
    def nearer_to(self) -> Literal["strangers", "base"]:
        """To whose answers the erased model's are nearer."""
        return "strangers" if self.difference > 0 else "base"

    def as_json(self) -> dict[str, Any]:
        """Plain numbers for a report."""
        return {"nearer_to": self.nearer_to, "difference": self.difference, "p_value": self.p_value}


def word_distance(first: str, second: str) -> float:
    """One less the share of words that two texts have in common (Jaccard), of words as they are compared (0..1)."""
    one, other = (set(re.findall(r"\w+", normalised(text))) for text in (first, second))
    return 1 - len(one & other) / len(one | other) if one | other else 0.0


def nearness(
    erased: Sequence[str],
    base: Sequence[str],
    strangers: Sequence[str],
    *,
    distance: TextDistance = word_distance,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Nearness | None:
    """Compare three samples of answers to the same kinds of questions; None where one has fewer than FEWEST texts."""
    if min(len(erased), len(base), len(strangers)) < FEWEST:
        return None
    pooled = [*base, *strangers]
    texts = sorted({*erased, *pooled})
    place = {text: number for number, text in enumerate(texts)}
    each = np.zeros((len(texts), len(texts)))
    for row, one in enumerate(texts):
        for column in range(row):
            each[row, column] = each[column, row] = distance(one, texts[column])
    own, others = [place[text] for text in erased], [place[text] for text in pooled]
    to_erased = each[np.ix_(others, own)].mean(axis=1)
    among = each[np.ix_(others, others)]
    is_base = np.arange(len(pooled)) < len(base)
    observed = float(_difference(is_base[None], to_erased, among)[0])
    rng = np.random.default_rng(seed)
    drawn = rng.permuted(np.tile(is_base, (permutations, 1)), axis=1)
    exceeding = int((_difference(drawn, to_erased, among) >= observed - 1e-12).sum())
    return Nearness(observed, (1 + exceeding) / (1 + permutations))


def _difference(
    is_base: NDArray[np.bool_], to_erased: NDArray[np.float64], among: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The energy distance to base less that to strangers, for each row of `is_base` [N, m].

    The part within the erased sample is the same in both and falls out. `to_erased` [m] is the mean distance of each
    text of the other two samples to the erased ones, `among` [m, m] are the distances between them.
    """

    def energy(chosen: NDArray[np.float64]) -> NDArray[np.float64]:
        count = chosen.sum(axis=1)
        within = ((chosen @ among) * chosen).sum(axis=1) / count**2
        distance: NDArray[np.float64] = 2 * (chosen @ to_erased) / count - within
        return distance

    base = is_base.astype(np.float64)
    difference: NDArray[np.float64] = energy(base) - energy(1 - base)
    return difference
