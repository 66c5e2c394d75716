"""From cells to figures: means with 95 % intervals over identities, forgetting, retention, their harmonic mean, Pareto.

Every figure carries n and its interval. Nothing here asks a model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from shared.evaluation.comparison import BOOTSTRAP_DRAWS, bootstrap_interval

Cell = Mapping[str, Any]
PUBLISHED: Final = {"classification": "letter_legacy", "generation": "rouge_l", "cloze": "legacy"}
STRICT: Final = {"classification": "likelihood", "generation": "told", "cloze": "strict"}
# What the harmonic mean is of: the paper's three tasks, the classification by likelihood (its letters are a lottery
# for a small model), the cloze by whole words.
SUMMED: Final = {"classification": "likelihood", "generation": "rouge_l", "cloze": "strict"}
CHANCE: Final = {"classification": 0.25, "generation": 0.0, "cloze": 0.0}
FORGETTING: Final = ("forget", "test")
RETENTION: Final = ("retain", "celebrity")
UNSEEN: Final = ("held_out", "stranger")
LEAST: Final = 0.1  # where the base model is no better than chance by this much, nothing can be forgotten or kept


@dataclass(frozen=True)
class Figure:
    """A share or a mean in 0..1 of `n` questions about `people` persons; the interval is 95 % over persons."""

    value: float
    low: float
    high: float
    n: int
    people: int


@dataclass(frozen=True)
class Summary:
    """Each in 0..1: forgetting (1: no better than chance), retention (1: as good as the base model) of the paper's sets
    and of everybody else, and the harmonic means: of the paper's sets, and of all.
    """

    forgetting: Figure
    retention: Figure
    unseen: Figure
    harmonic_paper: Figure
    harmonic: Figure


def figure(cell: Cell, group: str, column: str, task: str, metric: str) -> Figure | None:
    """One figure of a cell; None where the cell was not asked that."""
    asked = cell["scores"].get(group, {}).get(column, {}).get(task)
    if asked is None or metric not in asked["outcomes"]:
        return None
    values, people = asked["outcomes"][metric], asked["people"]
    low, high = bootstrap_interval(values, people)
    return Figure(float(np.mean(values)), low, high, len(values), len(set(people)))


def summary(cell: Cell, base: Cell, columns: Sequence[str]) -> Summary:
    """Forgetting and retention of a cell against the base model's. The bootstrap resamples the persons of each set."""
    draws = {group: _Draws(base, group) for group in (*FORGETTING, *RETENTION, *UNSEEN) if group in base["scores"]}
    forgotten = _mean([1 - share for share in _kept(cell, base, draws, FORGETTING, columns)])
    retained = _mean(_kept(cell, base, draws, RETENTION, columns))
    unseen = _mean(_kept(cell, base, draws, UNSEEN, columns))
    everybody = (retained + unseen) / 2
    counts = {
        groups: (
            sum(len(_asked(base, group, columns)) for group in groups),
            len({person for group in groups for person in _asked(base, group, columns)}),
        )
        for groups in (FORGETTING, RETENTION, UNSEEN, FORGETTING + RETENTION, FORGETTING + RETENTION + UNSEEN)
    }
    return Summary(
        forgetting=_figure(forgotten, *counts[FORGETTING]),
        retention=_figure(retained, *counts[RETENTION]),
        unseen=_figure(unseen, *counts[UNSEEN]),
        harmonic_paper=_figure(_harmonic(forgotten, retained), *counts[FORGETTING + RETENTION]),
        harmonic=_figure(_harmonic(forgotten, everybody), *counts[FORGETTING + RETENTION + UNSEEN]),
    )


def pareto(points: Mapping[str, tuple[float, float]]) -> set[str]:
    """Names that nobody beats in one of (forgetting, retention) without losing in the other."""
    return {
        name
        for name, (x, y) in points.items()
        if not any(a >= x and b >= y and (a, b) != (x, y) for other, (a, b) in points.items() if other != name)
    }


class _Draws:
    """Resampled persons of one set: the same draws for every task and system."""

    def __init__(self, base: Cell, group: str) -> None:
        people = {p for column in base["scores"][group].values() for task in column.values() for p in task["people"]}
        self.place = {person: i for i, person in enumerate(sorted(people))}
        count = len(self.place)
        drawn = np.random.default_rng(0).integers(0, count, size=(BOOTSTRAP_DRAWS, count))
        self.rows = np.concatenate([np.arange(count)[None], drawn])  # the first row is everybody once

    def means(self, asked: Mapping[str, Any], metric: str) -> Any:
        """The metric's mean in every draw [1 + draws]."""
        sums, counts = np.zeros(len(self.place)), np.zeros(len(self.place))
        for value, person in zip(asked["outcomes"][metric], asked["people"], strict=True):
            sums[self.place[person]] += value
            counts[self.place[person]] += 1
        return sums[self.rows].sum(axis=1) / np.maximum(counts[self.rows].sum(axis=1), 1)


def _kept(
    cell: Cell, base: Cell, draws: Mapping[str, _Draws], groups: Sequence[str], columns: Sequence[str]
) -> list[Any]:
    """For each set, column and task: what is left of the base model's advance over chance, in every draw, in 0..1."""
    found = []
    for group in groups:
        for column in columns:
            for task, metric in SUMMED.items():
                first = base["scores"].get(group, {}).get(column, {}).get(task)
                second = cell["scores"].get(group, {}).get(column, {}).get(task)
                if first is None or second is None:
                    continue
                chance = 0.0 if group == "stranger" else CHANCE[task]
                before = draws[group].means(first, metric) - chance
                if before[0] < LEAST:
                    continue
                after = draws[group].means(second, metric) - chance
                found.append((after / np.maximum(before, LEAST)).clip(0, 1))
    return found


def _asked(base: Cell, group: str, columns: Sequence[str]) -> list[str]:
    return [
        person
        for column in columns
        for task in base["scores"].get(group, {}).get(column, {}).values()
        for person in task["people"]
    ]


def _mean(parts: Sequence[Any]) -> Any:
    return np.mean(parts, axis=0) if len(parts) else np.zeros(BOOTSTRAP_DRAWS + 1)


def _harmonic(one: Any, other: Any) -> Any:
    return 2 * one * other / np.maximum(one + other, 1e-9)


def _figure(values: Any, n: int, people: int) -> Figure:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Figure(float(values[0]), float(low), float(high), n, people)
