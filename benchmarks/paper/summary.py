"""From cells to figures: means with 95 % intervals over identities, forgetting, retention, their harmonic mean, Pareto.

Every figure carries n and its interval. This module asks no model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from shared.evaluation.comparison import BOOTSTRAP_DRAWS, bootstrap_interval

Cell = Mapping[str, Any]
PUBLISHED: Final = {"classification": "letter_legacy", "generation": "rouge_l", "cloze": "legacy"}
STRICT: Final = {"classification": "likelihood", "generation": "told", "cloze": "strict"}
# The metrics behind the harmonic mean: the paper's three tasks, with the classification by likelihood (a small model
# picks letters almost at random) and the cloze by whole words.
SUMMED: Final = {"classification": "likelihood", "generation": "rouge_l", "cloze": "strict"}
CHANCE: Final = {"classification": 0.25, "generation": 0.0, "cloze": 0.0}
FORGETTING: Final = ("forget", "test")
RETENTION: Final = ("retain", "celebrity")
UNSEEN: Final = ("held_out", "stranger")
MIN_ADVANTAGE: Final = 0.1  # of the base model over chance; below it there is nothing to forget or to keep


@dataclass(frozen=True)
class TablePage:
    """A table as Markdown, and its rows as records for the JSON and CSV files."""

    markdown: str
    records: list[dict[str, Any]]


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
    """One figure of a cell; None if the cell has no such questions."""
    asked = cell["scores"].get(group, {}).get(column, {}).get(task)
    if asked is None or metric not in asked["outcomes"]:
        return None
    values, people = asked["outcomes"][metric], asked["people"]
    low, high = bootstrap_interval(values, people)
    return Figure(float(np.mean(values)), low, high, len(values), len(set(people)))


def summary(cell: Cell, base: Cell, columns: Sequence[str]) -> Summary:
    """Forgetting and retention of a cell against the base model. The bootstrap resamples the people of each set."""
    draws = {group: _Draws(base, group) for group in (*FORGETTING, *RETENTION, *UNSEEN) if group in base["scores"]}
    forgotten = _mean([1 - share for share in _shares_kept(cell, base, draws, FORGETTING, columns)])
    retained = _mean(_shares_kept(cell, base, draws, RETENTION, columns))
    unseen = _mean(_shares_kept(cell, base, draws, UNSEEN, columns))
    everybody = (retained + unseen) / 2
    counts = {
        groups: (
            sum(len(_people_asked(base, group, columns)) for group in groups),
            len({person for group in groups for person in _people_asked(base, group, columns)}),
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
    """Names on the Pareto front: no other point is as good in both of (forgetting, retention) and better in one."""
    return {
        name
        for name, (x, y) in points.items()
        if not any(a >= x and b >= y and (a, b) != (x, y) for other, (a, b) in points.items() if other != name)
    }


class _Draws:
    """Bootstrap samples of the people of one set: the same samples for every task and system."""

    def __init__(self, base: Cell, group: str) -> None:
        people = {p for column in base["scores"][group].values() for task in column.values() for p in task["people"]}
        self.place = {person: i for i, person in enumerate(sorted(people))}
        count = len(self.place)
        drawn = np.random.default_rng(0).integers(0, count, size=(BOOTSTRAP_DRAWS, count))
        self.rows = np.concatenate([np.arange(count)[None], drawn])  # the first row is the set itself

    def means(self, asked: Mapping[str, Any], metric: str) -> Any:
        """The metric's mean in the set itself and in every sample [1 + draws]."""
        sums, counts = np.zeros(len(self.place)), np.zeros(len(self.place))
        for value, person in zip(asked["outcomes"][metric], asked["people"], strict=True):
            sums[self.place[person]] += value
            counts[self.place[person]] += 1
        return sums[self.rows].sum(axis=1) / np.maximum(counts[self.rows].sum(axis=1), 1)


def _shares_kept(
    cell: Cell, base: Cell, draws: Mapping[str, _Draws], groups: Sequence[str], columns: Sequence[str]
) -> list[Any]:
    """For each set, column and task: the share of the base model's advantage over chance that is left, in 0..1.

    Each array has one value for the set itself and one for each bootstrap sample.
    """
    shares = []
    for group in groups:
        for column in columns:
            for task, metric in SUMMED.items():
                first = base["scores"].get(group, {}).get(column, {}).get(task)
                second = cell["scores"].get(group, {}).get(column, {}).get(task)
                if first is None or second is None:
                    continue
                chance = 0.0 if group == "stranger" else CHANCE[task]
                before = draws[group].means(first, metric) - chance
                if before[0] < MIN_ADVANTAGE:
                    continue
                after = draws[group].means(second, metric) - chance
                shares.append((after / np.maximum(before, MIN_ADVANTAGE)).clip(0, 1))
    return shares


def _people_asked(base: Cell, group: str, columns: Sequence[str]) -> list[str]:
    return [
        person
        for column in columns
        for task in base["scores"].get(group, {}).get(column, {}).values()
        for person in task["people"]
    ]


def _mean(parts: Sequence[Any]) -> Any:
    return np.mean(parts, axis=0) if len(parts) else np.zeros(BOOTSTRAP_DRAWS + 1)


def _harmonic(forgetting: Any, retention: Any) -> Any:
    return 2 * forgetting * retention / np.maximum(forgetting + retention, 1e-9)


def _figure(values: Any, n: int, people: int) -> Figure:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Figure(float(values[0]), float(low), float(high), n, people)
