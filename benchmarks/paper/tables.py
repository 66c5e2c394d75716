"""The analogues of the paper's tables 1-10 from finished cells, as CSV, JSON and Markdown; each says what differs.

Best figures are bold as in the paper (lowest for forget and test, highest elsewhere; the base model stands apart).
Every figure carries its 95 % interval over identities; n stands in the heading of its column.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.paper.summary import PUBLISHED, STRICT, Cell, Figure, Summary, TablePage, figure, pareto, summary
from benchmarks.paper.systems import BUDGETS, LABELS, budget_name
from shared.baselines.registry import BASELINES

HEADS: Final = {
    "forget": "Fgt ↓",
    "test": "Test ↓",
    "retain": "Ret ↑",
    "celebrity": "Cele ↑",
    "held_out": "Held-out ↑",
    "stranger": "Strangers ↑",
}
LOWER: Final = ("forget", "test")
COLUMN_NAMES: Final = {"vqa": "VQA (by picture)", "qa": "QA (by name, no picture)"}
TASK_NAMES: Final = {"classification": "Classification", "generation": "Generation", "cloze": "Cloze"}
LACUNA_ROWS: Final = ("lacuna", "lacuna-closed")  # the refined steering vector beside the closed form, in every table
EVERYBODY: Final = (
    "base",
    *BASELINES,
    "paper",
    "paper-fixed-refusal",
    "lacuna",
    "lacuna-closed",
    "lacuna-fixed-refusal",
    "prototype",
)


@dataclass(frozen=True)
class Table:
    """What one table holds; `scorers` names the families of scorers in it, `summed` adds forgetting and retention."""

    number: int
    title: str
    ratio: int
    columns: tuple[str, ...]
    systems: tuple[str, ...]
    differs: str
    scorers: tuple[str, ...] = ("published", "strict")
    summed: bool = False


TABLES: Final = (
    Table(
        1,
        "Unlearning performance at 5 % forget, VQA",
        5,
        ("vqa",),
        EVERYBODY,
        "The paper shows two 7B models; a run here has one. The last five rows are not in the paper's table, nor are "
        "held-out people (never seen by any fit) and strangers (whom the model never knew). MANU and MMUnlearner stand "
        "at every ratio here.",
        summed=True,
    ),
    Table(
        2,
        "Ablation at 5 % forget",
        5,
        ("vqa",),
        ("base", "paper-text-only", "paper-input-unaware", "paper", *LACUNA_ROWS),
        "The paper ablates Qwen-2.5-VL-7B; here it is the run's own model. Text-only: refused and jailbroken requests "
        "without any picture. Input-unaware: the same steering vector for every input. The last two rows are not in "
        "the paper.",
        summed=True,
    ),
    Table(
        3,
        "Perturbation budget ε of the pictures behind the direction, 10 % forget",
        10,
        ("vqa",),
        ("base", *(budget_name(text) for text in BUDGETS), *LACUNA_ROWS),
        "Twenty sign steps of 2.5 ε / 20 at every budget (the paper does not state its own); unconstrained: ε = 1, "
        "the whole range of a pixel. The last two rows are not in the paper.",
    ),
    Table(
        5,
        "VQA and text QA at 10 % forget",
        10,
        ("vqa", "qa"),
        EVERYBODY,
        "As table 1, at 10 %, with questions by name beside those by picture. The name is asked by picture only.",
        summed=True,
    ),
    Table(
        6,
        "VQA and text QA at 5 % forget",
        5,
        ("vqa", "qa"),
        EVERYBODY,
        "As table 5, at 5 %.",
        summed=True,
    ),
    Table(
        7,
        "VQA and text QA at 5 % forget, strictly scored",
        5,
        ("vqa", "qa"),
        EVERYBODY,
        "The paper repeats table 6 on a second model. A run has one model, so this is table 6 by the strict scorers "
        "alone; run again with --model for another model's table 6.",
        scorers=("strict",),
    ),
    Table(
        8,
        "Unlearning performance at 15 % forget, VQA",
        15,
        ("vqa",),
        EVERYBODY,
        "As table 1, at 15 %.",
        summed=True,
    ),
    Table(
        9,
        "Which layers are steered, 10 % forget",
        10,
        ("vqa",),
        ("base", "paper-early", "paper-late", "paper", *LACUNA_ROWS),
        "Halves of this model's blocks; where their number is odd, the late half has one more. The paper's are layers "
        "1-16 and 17-32, and its table does not have the last two rows.",
    ),
    Table(
        10,
        "f(h) as a two-layer network, 10 % forget",
        10,
        ("vqa",),
        ("base", "paper-mlp", "paper", *LACUNA_ROWS),
        "The paper gives neither width nor training. Here f(h) = g(h) u with g of 64 hidden units (GELU), 300 Adam "
        "steps on mean (g - 1)² over forget prompts plus mean g² over retain prompts, no null space. The last two rows "
        "are not in the paper.",
    ),
)

Cells = Mapping[tuple[str, int], Cell]  # (system, ratio)


def write_tables(out: Path, cells: Cells, about: Mapping[str, Any]) -> list[int]:
    """Write every table that has all it needs, and `tables.md` with all of them; returns the numbers written."""
    pages, written = [_preface(about)], []
    for table in TABLES:
        if table.number == 5:
            costs = _costs(cells)
            write_table(out, 4, costs, {"title": "Cost of an unlearned model", "about": about})
            pages.append(costs.markdown)
            written.append(4)
        rows = [name for name in table.systems if (name, table.ratio) in cells]
        if "base" not in rows or len(rows) < 2:
            continue
        page = TablePage(_markdown(table, rows, cells), list(_records(table, rows, cells)))
        write_table(out, table.number, page, {"title": table.title, "differs": table.differs, "about": about})
        pages.append(page.markdown)
        written.append(table.number)
    (out / "tables.md").write_text("\n\n".join(pages) + "\n")
    return written


def append(out: Path, page: str) -> None:
    """Append a part to `tables.md`."""
    with (out / "tables.md").open("a") as whole:
        whole.write("\n" + page + "\n")


def labels(cells: Cells) -> dict[str, str]:
    """Labels of systems, as tables and figures show them."""
    return {name: str(cell.get("label", name)) for (name, _), cell in cells.items()} | dict(LABELS)


def write_table(out: Path, number: int, page: TablePage, head: Mapping[str, Any]) -> None:
    """The table as Markdown, JSON (`head` above its rows) and CSV."""
    (out / f"table_{number}.md").write_text(page.markdown + "\n")
    (out / f"table_{number}.json").write_text(json.dumps({**head, "rows": page.records}, indent=1) + "\n")
    sheet = io.StringIO()
    names = list(dict.fromkeys(name for record in page.records for name in record))
    writer = csv.DictWriter(sheet, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(page.records)
    (out / f"table_{number}.csv").write_text(sheet.getvalue())


def _records(table: Table, rows: Sequence[str], cells: Cells) -> Iterable[dict[str, Any]]:
    """Yield one record for each figure; all metrics that were measured, also those that the page does not show."""
    base = cells["base", table.ratio]
    for name in rows:
        cell = cells[name, table.ratio]
        head = {"system": name, "label": cell["label"], "ratio_percent": table.ratio}
        for group, by_column in cell["scores"].items():
            for column in table.columns:
                for task, asked in by_column.get(column, {}).items():
                    for metric in asked["outcomes"]:
                        value = figure(cell, group, column, task, metric)
                        if value is not None:
                            place = {"set": group, "column": column, "task": task, "metric": metric}
                            yield head | place | _rounded(value)
        if table.summed:
            for metric, value in _named(summary(cell, base, table.columns)):
                yield head | {"set": "all", "column": "all", "task": "all", "metric": metric} | _rounded(value)


def _rounded(value: Figure) -> dict[str, Any]:
    return {name: round(number, 4) if isinstance(number, float) else number for name, number in asdict(value).items()}


def _named(summary_of_cell: Summary) -> list[tuple[str, Figure]]:
    return [(name, getattr(summary_of_cell, name)) for name in summary_of_cell.__dataclass_fields__]


def _markdown(table: Table, rows: Sequence[str], cells: Cells) -> str:
    parts = [f"## Table {table.number}. {table.title}", f"*{table.differs}*"]
    if table.summed:
        parts.append(_summary_block(table, rows, cells))
    for column in table.columns:
        for family in table.scorers:
            metrics = PUBLISHED if family == "published" else STRICT
            parts.append(f"**{COLUMN_NAMES[column]}, {FAMILIES[family]}**")
            parts += [_block(table, rows, cells, column, task, metric) for task, metric in metrics.items()]
    if table.summed:
        parts += [_declined_block(table, rows, cells, column) for column in table.columns]
    return "\n\n".join(parts)


FAMILIES: Final = {
    "published": "published scorers (first letter of the reply; ROUGE-L F; substring)",
    "strict": "strict scorers (option likelihood over four rotations, declining counts as not right; the fact as whole "
    "words)",
}


def _block(table: Table, rows: Sequence[str], cells: Cells, column: str, task: str, metric: str) -> str:
    base = cells["base", table.ratio]
    groups = [group for group in HEADS if figure(base, group, column, task, metric) is not None]
    figures = {
        (name, group): figure(cells[name, table.ratio], group, column, task, metric)
        for name in rows
        for group in groups
    }
    best = {}
    for group in groups:
        values = [
            round(cell_figure.value, 3) for name in rows if name != "base" and (cell_figure := figures[name, group])
        ]
        best[group] = (min if group in LOWER else max)(values, default=None)
    heads = [f"{HEADS[g]} (n={cell_figure.n})" for g in groups if (cell_figure := figures["base", g])]
    lines = [
        f"| {TASK_NAMES[task]} ({'%' if metric != 'rouge_l' else 'ROUGE-L'}) | " + " | ".join(heads) + " |",
        "|---|" + "---:|" * len(groups),
    ]
    for name in rows:
        shown = []
        for group in groups:
            cell_figure = figures[name, group]
            text = "" if cell_figure is None else _shown(cell_figure, metric)
            bold = cell_figure is not None and name != "base" and round(cell_figure.value, 3) == best[group]
            shown.append(_bold(text) if bold else text)
        lines.append(f"| {cells[name, table.ratio]['label']} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _shown(shown_figure: Figure, metric: str = "") -> str:
    if metric == "rouge_l":
        return f"{shown_figure.value:.3f} <sub>{shown_figure.low:.2f}–{shown_figure.high:.2f}</sub>"
    return f"{100 * shown_figure.value:.1f} <sub>{100 * shown_figure.low:.0f}–{100 * shown_figure.high:.0f}</sub>"


def _bold(text: str) -> str:
    value, _, rest = text.partition(" ")
    return f"**{value}** {rest}"


def _summary_block(table: Table, rows: Sequence[str], cells: Cells) -> str:
    base = cells["base", table.ratio]
    summaries = {name: summary(cells[name, table.ratio], base, table.columns) for name in rows}
    points = {
        name: (cell_summary.forgetting.value, (cell_summary.retention.value + cell_summary.unseen.value) / 2)
        for name, cell_summary in summaries.items()
    }
    front = pareto(points)
    highest = max(
        (cell_summary.harmonic.value for name, cell_summary in summaries.items() if name != "base"), default=0.0
    )
    base_summary = summaries["base"]
    lines = [
        f"| All three tasks (%) | Forgetting ↑ (n={base_summary.forgetting.n}) | Retention: retain, celebrity ↑ "
        f"(n={base_summary.retention.n}) | Retention: held-out, strangers ↑ (n={base_summary.unseen.n}) "
        "| Harmonic mean, paper's sets ↑ | Harmonic mean, all ↑ | Pareto |",
        "|---|---:|---:|---:|---:|---:|:---:|",
    ]
    for name in rows:
        cell_summary = summaries[name]
        harmonic = _shown(cell_summary.harmonic)
        if name != "base" and cell_summary.harmonic.value == highest:
            harmonic = _bold(harmonic)
        shown = [_shown(getattr(cell_summary, key)) for key in ("forgetting", "retention", "unseen", "harmonic_paper")]
        columns = [cells[name, table.ratio]["label"], *shown, harmonic, "●" if name in front else ""]
        lines.append(f"| {' | '.join(columns)} |")
    return "\n".join(lines)


def _declined_block(table: Table, rows: Sequence[str], cells: Cells, column: str) -> str:
    """A block of shares: refusals and unparsable letters, each counted separately."""
    parts = {"declined": "declines, by likelihood", "letter_declined": "letter: declines",
             "letter_unparsable": "letter: neither a letter nor declining"}  # fmt: skip
    base = cells["base", table.ratio]
    groups = {
        group: cell_figure.n
        for group in ("forget", "test", "retain", "celebrity", "held_out")
        if (cell_figure := figure(base, group, column, "classification", "declined")) is not None
    }
    lines = [
        f"| Choices not made, {COLUMN_NAMES[column]} (%) | "
        + " | ".join(f"{HEADS[group][:-2]} (n={n})" for group, n in groups.items())
        + " |",
        "|---|" + "---:|" * len(groups),
    ]
    for name in rows:
        figures = [
            [figure(cells[name, table.ratio], group, column, "classification", metric) for metric in parts]
            for group in groups
        ]
        shown = [
            " / ".join(_shown(cell_figure) if cell_figure is not None else "" for cell_figure in by_metric)
            for by_metric in figures
        ]
        lines.append(f"| {cells[name, table.ratio]['label']} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n\nEach: " + " / ".join(parts.values()) + "."


def _costs(cells: Cells) -> TablePage:
    ratio = min(ratio for _, ratio in cells)
    rows = [name for name in EVERYBODY if name != "base" and (name, ratio) in cells]
    lines = [
        f"## Table 4. Cost of an unlearned model, {ratio} % forget",
        "*The paper shows training memory only. Seconds are wall time on this machine, with the statistics and the "
        "steering vectors, which are made once for a base model; tuning a baseline is not counted. Memory is how far "
        "the process's peak rises above serving, measured once; bytes are what is stored.*",
        "| | seconds to make | ten queries (s) | training memory (MB) | artifact (kB) | taken back |\n"
        "|---|---:|---:|---:|---:|---|",
    ]
    records = []
    for name in rows:
        cell = cells[name, ratio]
        cost = cell["cost"]
        memory = "no training" if cost["peak_bytes"] is None else f"{cost['peak_bytes'] / 1e6:,.0f}"
        lines[-1] += (
            f"\n| {cell['label']} | {cost['seconds']:.1f} | {cell['ten_queries_seconds']:.2f} | {memory} | "
            f"{cost['artifact_bytes'] / 1000:,.0f} | {cost['how'] if cost['reversible'] else 'no'} |"
        )
        records.append(
            {"system": name, "label": cell["label"], **cost, "ten_queries_seconds": cell["ten_queries_seconds"]}
        )
    return TablePage("\n\n".join(lines), records)


def _preface(about: Mapping[str, Any]) -> str:
    people = ", ".join(f"{ratio} % = {count}" for ratio, count in about["forgotten"].items())
    return f"""# The paper's tables on one model

Model `{about["model"]}`, {about["layers"]} blocks of width {about["hidden"]}. Forgotten people: {people} of
{about["fictitious"]} fictitious ones, nested by seed {about["seed"]}. At most {about["questions"]} questions a cell
(set × picture or text × task), evenly over people; draws other than the fit's. One configuration (one λ) for all tasks.

Small figures are 95 % bootstrap intervals over identities; n is the number of questions. *Forget* is worded and
pictured as in the fit, *test* in held-out wordings with strongly changed pictures; *retain* people are in the fit's
retain set, *celebrity*, *held-out* and *strangers* are not. A stranger has no true answer: there the base model's own
answer stands for the truth. Forgetting is the share of the base model's advance over chance that is gone, retention the
share that is left (classification by likelihood, ROUGE-L, cloze by whole words; a cell where the base model is no
better than chance does not count). ● marks the Pareto front of forgetting and retention (mean of both retentions)."""
