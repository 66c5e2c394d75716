"""Table 11, which is not in the paper: the three tasks for several choices of forgotten people, mean and worst."""

from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.paper.summary import Cell, Summary, TablePage, summary

SHOWN: Final = {
    "forgetting": "Forgetting ↑",
    "retention": "Retention: retain, celebrity ↑",
    "unseen": "Retention: held-out, strangers ↑",
    "harmonic_paper": "Harmonic mean, paper's sets ↑",
    "harmonic": "Harmonic mean, all ↑",
}
LACUNA_NAME: Final = "lacuna"


def draws_page(draws: Sequence[Mapping[str, Cell]], ratio: int, questions: int) -> TablePage:
    """The table over all draws; `draws` holds the cells of each draw by system, `base` among them."""
    systems = [name for name in draws[0] if name != "base"]
    summaries_by_system = {name: [summary(cells[name], cells["base"], ("vqa",)) for cells in draws] for name in systems}
    best = max(_mean(summaries, "harmonic") for summaries in summaries_by_system.values())
    lines = [
        f"## Table 11. {len(draws)} choices of forgotten people, {ratio} % forget, VQA",
        "*Not in the paper. The three tasks of table 1, strictly scored, for so many seeds of who is forgotten: mean "
        f"(worst), the first with its own questions and the others with at most {questions} a cell. The last column "
        "counts the draws in which a system is Pareto-better than Lacuna: better in one of forgetting, and retention "
        "of the paper's sets, and not worse in the other.*",
        f"| % | {' | '.join(SHOWN.values())} | Pareto-better |\n|---|" + "---:|" * (len(SHOWN) + 1),
    ]
    records = []
    for name, summaries in summaries_by_system.items():
        lacuna = summaries_by_system.get(LACUNA_NAME, [])
        better_in = sum(map(_is_pareto_better, summaries, lacuna))
        figures = {key: (_mean(summaries, key), min(getattr(draw, key).value for draw in summaries)) for key in SHOWN}
        shown = [f"{100 * mean:.1f} ({100 * worst:.1f})" for mean, worst in figures.values()]
        if figures["harmonic"][0] == best:
            shown[-1] = f"**{shown[-1]}**"
        label = draws[0][name]["label"]
        lines[-1] += f"\n| {label} | {' | '.join(shown)} | {better_in} of {len(summaries)} |"
        flat = {f"{key}_{how}": round(value, 4) for key, pair in figures.items()
                for how, value in zip(("mean", "worst"), pair, strict=True)}  # fmt: skip
        records.append({"system": name, "label": label, **flat, "pareto_better_in": better_in, "draws": len(summaries)})
    return TablePage("\n\n".join(lines), records)


def _mean(summaries: Sequence[Summary], key: str) -> float:
    values: list[float] = [getattr(draw, key).value for draw in summaries]
    return sum(values) / len(values)


def _is_pareto_better(summary: Summary, other: Summary) -> bool:
    """Whether `summary` is not worse in forgetting and retention of the paper's sets, and better in one of them."""
    pairs = [(getattr(summary, key).value, getattr(other, key).value) for key in ("forgetting", "retention")]
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)
