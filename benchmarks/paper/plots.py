"""Figures 3-8 of the paper from finished cells, as PNG. Colours of Okabe and Ito (2008), distinct by marker too."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmarks.paper.summary import SUMMED, Cell, figure
from benchmarks.paper.systems import GAMMAS, LAMBDAS, gamma_name, lambda_name
from benchmarks.paper.tables import EVERYBODY, Cells

mpl.use("Agg")

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, BLACK, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000", "#8A8A8A",
)  # fmt: skip
SETS: Final = {
    "forget": ("forget", RED, "o"),
    "test": ("test", ORANGE, "s"),
    "retain": ("retain", BLUE, "^"),
    "celebrity": ("celebrity", GREEN, "D"),
    "held_out": ("held-out", PURPLE, "v"),
}
STYLE: Final[dict[str, tuple[str, str]]] = {
    "base": (BLACK, "x"),
    "GA": (GREY, "o"),
    "GA_Diff": (GREY, "s"),
    "KL_Min": (GREY, "^"),
    "NPO": (GREY, "D"),
    "MMUnlearner": (GREY, "P"),
    "MANU": (GREY, "v"),
    "paper": (ORANGE, "o"),
    "paper-fixed-refusal": (ORANGE, "s"),
    "lacuna": (BLUE, "*"),
    "lacuna-closed": (SKY, "D"),
    "lacuna-fixed-refusal": (GREEN, "s"),
    "prototype": (PURPLE, "h"),
}
SHORT: Final = {
    "base": "Vanilla",
    "paper": "MLLMEraser (paper)",
    "paper-fixed-refusal": "linear gate + fixed refusal",
    "lacuna": "Lacuna",
    "lacuna-closed": "Lacuna, closed form",
    "lacuna-fixed-refusal": "Lacuna's gate + fixed refusal",
    "prototype": "recipe prototype",
}
TASKS: Final = {
    "classification": "Classification by likelihood (%)",
    "generation": "Generation, ROUGE-L F (%)",
    "cloze": "Cloze, strict (%)",
}
mpl.rcParams.update(
    {
        "font.size": 9,
        "font.family": "DejaVu Sans",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#E6E6E6",
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "legend.frameon": False,
        "savefig.dpi": 160,
        "figure.constrained_layout.use": True,
    }
)


def write_figures(out: Path, cells: Cells, activations: Mapping[str, Any] | None) -> list[str]:
    """Write every figure whose cells are there; returns the file names."""
    names: list[str | None] = [trade_off(out, cells), times(out, cells)]
    ratio = 10 if ("base", 10) in cells else min(ratio for _, ratio in cells)
    names.append(sweep(out, cells, ratio, 6, [(g, gamma_name(g)) for g in GAMMAS], "γ (regularisation)", log=True))
    names.append(sweep(out, cells, ratio, 7, [(s, lambda_name(s)) for s in LAMBDAS], "λ (strength)", log=False))
    if activations is not None:
        names += [distributions(out, activations), lengths(out, activations)]
    return [name for name in names if name]


def trade_off(out: Path, cells: Cells) -> str:
    """Figure 3: forgetting against retention, by ratio; filled: retain and celebrity, hollow: held-out."""
    ratios = sorted({ratio for _, ratio in cells})
    tasks = ("classification", "generation")
    drawn, axes = plt.subplots(
        len(tasks), len(ratios), figsize=(3.3 * len(ratios) + 2.4, 6.0), squeeze=False, sharey="row"
    )
    for row, task in enumerate(tasks):
        for column, ratio in enumerate(ratios):
            panel = axes[row][column]
            base = cells["base", ratio]
            for name in sorted(
                EVERYBODY, key=lambda n: 2 * (n == "lacuna") + (n == "lacuna-closed")
            ):  # drawn last, on top
                cell = cells.get((name, ratio))
                if cell is None:
                    continue
                x = _value(base, "forget", task) - _value(cell, "forget", task)
                kept = (_value(cell, "retain", task) + _value(cell, "celebrity", task)) / 2
                unseen = _value(cell, "held_out", task)
                colour, marker = STYLE[name]
                size = 130 if marker == "*" else 46
                if marker != "x":
                    panel.plot([x, x], [kept, unseen], color=colour, linewidth=0.8, alpha=0.6, zorder=2)
                filled = {} if marker == "x" else {"edgecolors": "white", "linewidths": 0.6}
                panel.scatter(x, kept, s=size, color=colour, marker=marker, zorder=4, clip_on=False, **filled)
                if marker == "x":
                    panel.axhline(unseen, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
                else:
                    panel.scatter(
                        x, unseen, s=size * 0.7, facecolors="white", edgecolors=colour, marker=marker, zorder=3,
                        linewidths=1.1, clip_on=False,
                    )  # fmt: skip
            panel.set_xlim(-4, 104)
            panel.set_ylim(-4, 104)
            if row == 0:
                panel.set_title(f"{ratio} % forgotten")
            if row == len(tasks) - 1:
                panel.set_xlabel("drop on the forget set (points)")
            if column == 0:
                panel.set_ylabel(TASKS[task])
    present = [name for name in EVERYBODY if any(system == name for system, _ in cells)]
    handles = [
        Line2D([], [], color=STYLE[n][0], marker=STYLE[n][1], linestyle="", markersize=10 if n == "lacuna" else 6.5,
               label=SHORT.get(n, n))
        for n in present
    ]  # fmt: skip
    handles += [
        Line2D([], [], color=BLACK, marker="o", linestyle="", label="filled: retain and celebrity"),
        Line2D([], [], color=BLACK, marker="o", markerfacecolor="white", linestyle="", label="hollow: held-out people"),
        Line2D([], [], color=GREY, linestyle=":", label="Vanilla on held-out people"),
    ]
    drawn.legend(handles=handles, loc="outside right center", labelspacing=0.9)
    return _save(drawn, out, "figure_3_trade_off.png")


def distributions(out: Path, activations: Mapping[str, Any]) -> str:
    """Figure 4: the last block's activations before and after steering, on the base model's two principal axes."""
    recipes = {"paper": "MLLMEraser", "lacuna": "Lacuna"}
    groups = {"retain": "retain set", "forget": "forget set", "held_out": "held-out people"}
    drawn, axes = plt.subplots(2, 3, figsize=(9.6, 6.2), sharex="row", sharey="row")
    for row, (recipe, title) in enumerate(recipes.items()):
        for column, (group, words) in enumerate(groups.items()):
            panel = axes[row][column]
            points = activations["points"][recipe][group]
            before, after = np.array(points["before"]), np.array(points["after"])
            for first, second in zip(before, after, strict=True):
                panel.plot(*zip(first, second, strict=True), color=GREY, linewidth=0.4, alpha=0.5, zorder=1)
            panel.scatter(*before.T, s=30, facecolors="none", edgecolors=BLUE, linewidths=1.0, marker="o", zorder=2)
            panel.scatter(*after.T, s=13, color=RED, marker="^", zorder=3, linewidths=0)
            if row == 0:
                panel.set_title(words)
            if row == 1:
                panel.set_xlabel(f"first principal axis ({activations['share'][0]:.0%} of the variance)")
            if column == 0:
                panel.set_ylabel(f"$\\bf{{{title}}}$\nsecond principal axis ({activations['share'][1]:.0%})")
    handles = [
        Line2D([], [], color=BLUE, marker="o", markerfacecolor="none", linestyle="", label="before (vanilla)"),
        Line2D([], [], color=RED, marker="^", linestyle="", label="after (steered)"),
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=2)
    return _save(drawn, out, "figure_4_activations.png")


def times(out: Path, cells: Cells) -> str:
    """Figure 5: seconds to make a system, and seconds for ten queries, at the smallest ratio."""
    ratio = min(ratio for _, ratio in cells)
    names = [name for name in EVERYBODY if (name, ratio) in cells]
    drawn, (left, right) = plt.subplots(1, 2, figsize=(9.6, 0.36 * len(names) + 1.5), sharey=True)
    places = np.arange(len(names))[::-1]
    colours = [STYLE[name][0] for name in names]
    making = [cells[name, ratio]["cost"]["seconds"] for name in names]
    asking = [cells[name, ratio]["ten_queries_seconds"] for name in names]
    for panel, values, title in (
        (left, making, f"Making it ({ratio} % forgotten)"),
        (right, asking, "Ten queries, one by one"),
    ):
        panel.barh(places, values, color=colours, height=0.62)
        top = max(values) or 1.0
        for place, value in zip(places, values, strict=True):
            panel.text(value + 0.015 * top, place, f"{value:.3g} s", va="center", fontsize=8)
        panel.set_xlim(0, 1.18 * top)
        panel.set_xlabel("seconds (wall time)")
        panel.set_title(title)
        panel.grid(visible=False, axis="y")
    left.set_yticks(places, [SHORT.get(name, name) for name in names])
    return _save(drawn, out, "figure_5_time.png")


def sweep(
    out: Path, cells: Cells, ratio: int, number: int, points: Sequence[tuple[float, str]], label: str, *, log: bool
) -> str | None:
    """Figures 6 and 7: a sweep of one setting of the recipe `paper`, by task, with 95 % intervals."""
    points = [(value, name) for value, name in points if (name, ratio) in cells]
    if len(points) < 2:
        return None
    drawn, axes = plt.subplots(1, 3, figsize=(10.2, 3.6), sharey=True)
    for panel, (task, title) in zip(axes, TASKS.items(), strict=True):
        for group, (words, colour, marker) in SETS.items():
            figures = [figure(cells[name, ratio], group, "vqa", task, SUMMED[task]) for _, name in points]
            step = list(SETS).index(group) - 2  # drawn side by side, so that no interval hides another
            xs = [value * 1.09**step if log else value + 0.0035 * step for value, _ in points]
            ys = np.array([[f.value, f.low, f.high] if f else [np.nan] * 3 for f in figures]) * 100
            panel.vlines(xs, ys[:, 1], ys[:, 2], color=colour, alpha=0.35, linewidth=1.6)
            panel.plot(xs, ys[:, 0], color=colour, marker=marker, markersize=5, linewidth=1.4, label=words)
        if log:
            panel.set_xscale("log")
        else:
            panel.set_xticks([value for value, _ in points])
        panel.set_title(title)
        panel.set_xlabel(label)
        panel.set_ylim(-3, 103)
    axes[0].set_ylabel(f"score (%), {ratio} % forgotten")
    handles, words_of = axes[0].get_legend_handles_labels()
    drawn.legend(handles, words_of, loc="outside lower center", ncols=5)
    return _save(drawn, out, f"figure_{number}_{'gamma' if number == 6 else 'lambda'}.png")


def lengths(out: Path, activations: Mapping[str, Any]) -> str:
    """Figure 8: norms of the added vectors by block and set, beside those of activations and whole steering vectors."""
    groups = {"forget": ("forget", RED), "retain": ("retain", BLUE), "held_out": ("held-out", PURPLE)}
    drawn, axes = plt.subplots(1, 3, figsize=(11.0, 3.9))
    layers = len(activations["pulls"]["paper"])
    for panel, (recipe, title) in zip(axes, (("paper", "MLLMEraser: ‖λ f(h)‖"), ("lacuna", "Lacuna: ‖v‖ if it fires")),
                                    strict=False):  # fmt: skip
        for offset, (group, (_, colour)) in zip((-0.26, 0.0, 0.26), groups.items(), strict=True):
            rows = np.array(activations["norms"][recipe][group])
            boxes = panel.boxplot(
                [rows[:, layer] for layer in range(layers)],
                positions=np.arange(layers) + offset,
                widths=0.2,
                patch_artist=True,
                flierprops={"marker": ".", "markersize": 2.5, "markerfacecolor": colour, "markeredgewidth": 0},
                medianprops={
                    "color": BLACK if recipe == "paper" else colour,
                    "linewidth": 1.0 if recipe == "paper" else 3.0,
                },
            )
            for box in boxes["boxes"]:
                box.set(facecolor=colour, alpha=0.75, edgecolor=colour)
            for line in (*boxes["whiskers"], *boxes["caps"]):
                line.set(color=colour, linewidth=0.8)
        panel.set_xticks(range(layers), [str(layer + 1) for layer in range(layers)])
        panel.set_xlabel("block")
        panel.set_title(title)
    axes[0].set_ylabel("L2 norm of what is added")
    axes[1].legend(
        handles=[Patch(facecolor=colour, alpha=0.75, label=words) for words, colour in groups.values()],
        loc="best",
    )
    last = axes[2]
    for group, (words, colour) in groups.items():
        last.plot(range(layers), activations["activations"][group], color=colour, marker="o", markersize=4, label=words)
    for recipe, colour, style in (("paper", ORANGE, "--"), ("lacuna", GREEN, ":")):
        last.plot(range(layers), activations["pulls"][recipe], color=colour, linestyle=style, marker="s", markersize=4,
                  label=f"whole vector, {recipe}")  # fmt: skip
    last.set_xticks(range(layers), [str(layer + 1) for layer in range(layers)])
    last.set_xlabel("block")
    last.set_ylabel("L2 norm")
    last.set_ylim(bottom=0)
    last.set_title("Activations and whole steering vectors")
    last.legend(loc="best", fontsize=8)
    return _save(drawn, out, "figure_8_norms.png")


def _value(cell: Cell, group: str, task: str) -> float:
    activations = figure(cell, group, "vqa", task, SUMMED[task])
    return 100 * activations.value if activations else float("nan")


def _save(drawn: Any, out: Path, name: str) -> str:
    drawn.savefig(out / name)
    plt.close(drawn)
    return name
