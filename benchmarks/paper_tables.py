"""The paper's tables 1-10, figures 3-8 and case study from one run on one model.

    python -m benchmarks.paper_tables --out DIR [--model FOLDER] [--questions 36] [--only NAME,NAME] [--ratios 5,10,15]
        [--draws 5]

Tables 1-10 forget one choice of people; table 11 repeats the three tasks of table 1 for `--draws` choices.

Every finished cell (one system at one forget ratio) is written to DIR/cells and skipped the next time, so a run may be
interrupted at any moment. This module chooses the systems of each table; `paper/` makes, asks and scores them.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.folders import model_folder
from benchmarks.paper.activations import examine
from benchmarks.paper.case_study import write_case_study
from benchmarks.paper.cells import CellSpec, CellStore, code_digest, run
from benchmarks.paper.draws import draws_page
from benchmarks.paper.plots import write_figures
from benchmarks.paper.question_sets import question_sets
from benchmarks.paper.systems import GAMMAS, LAMBDAS, PaperBenchmark, SystemSpec, gamma_name, lambda_name, systems
from benchmarks.paper.tables import EVERYBODY, TABLES, append, write_table, write_tables
from benchmarks.paper.tuned import tune_baselines
from shared.baselines.registry import BASELINES
from shared.baselines.tuning import Budget
from shared.evaluation.ratios import FICTITIOUS, RATIOS, forgotten
from shared.evaluation.reference import Reference, load_reference
from shared.vlm.engine import Engine
from shared.vlm.loading import load

SWEPT_AT = 10  # per cent, as in the paper
BUDGET = Budget(trials=6, coarse=4)  # of each baseline
QUESTIONS = 36  # a cell: the demo model then takes less than an hour on two cores, all systems and ratios
FEWER_QUESTIONS = 12  # a cell of the draws after the first


def main() -> None:
    """Read the command line and make the tables."""
    parser = argparse.ArgumentParser(description="The paper's tables and figures on one model.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--model",
        type=model_folder,
        default="demo-vlm",
        help="a folder with a reference/ of its people, or its name under models/",
    )
    parser.add_argument("--questions", type=int, default=QUESTIONS, help="at most so many in each cell")
    parser.add_argument("--ratios", default=",".join(map(str, RATIOS)), help="per cent forgotten")
    parser.add_argument("--only", default="", help="only these systems, and the base model")
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice of forgotten people")
    parser.add_argument("--draws", type=int, default=5, help="seeds of table 11, from --seed on")
    args = parser.parse_args()
    benchmark = PaperBenchmark(Engine(load(args.model)), load_reference(args.model / "reference"))
    make_tables(
        benchmark,
        args.out,
        model=str(args.model),
        reference_digest=benchmark.reference.digest,
        questions=args.questions,
        ratios=[int(ratio) for ratio in args.ratios.split(",")],
        only=[name for name in args.only.split(",") if name],
        seed=args.seed,
        draws=args.draws,
    )


def make_tables(
    benchmark: PaperBenchmark,
    out: Path,
    *,
    model: str,
    reference_digest: str,
    questions: int,
    ratios: Sequence[int],
    only: Sequence[str] = (),
    seed: int = 0,
    draws: int = 1,
    budget: Budget = BUDGET,
) -> None:
    """Run the cells that are missing, then write all tables, figures and the case study."""
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    store = CellStore(out / "cells", benchmark.engine.vlm.site.digest, reference_digest, code_digest())
    fewer_questions = min(questions, FEWER_QUESTIONS)
    smallest_ratio, seeds = min(ratios), range(seed + 1, seed + draws)
    evaluated = {person.id for ratio in ratios for person in forgotten(benchmark.reference, ratio, seed)}
    evaluated |= {person.id for other in seeds for person in forgotten(benchmark.reference, smallest_ratio, other)}
    baselines = [name for name in BASELINES if not only or name in only]
    benchmark.tuned = tune_baselines(benchmark, store, baselines, evaluated, budget)
    systems_by_name = systems(benchmark)
    specs = [
        spec for ratio in ratios for spec in _specs(benchmark.reference, systems_by_name, ratio, questions, only, seed)
    ]
    further_draws = [
        [
            replace(spec, columns=("vqa",), questions=fewer_questions)
            for spec in _specs(benchmark.reference, systems_by_name, smallest_ratio, fewer_questions, only, s)
        ]
        for s in seeds
    ]
    further_draws = [[spec for spec in draw if spec.system.name in EVERYBODY] for draw in further_draws]
    with tqdm(total=len(specs) + sum(map(len, further_draws)), desc="cells") as bar:
        cells = _cells(benchmark, store, specs, bar)
        cells_by_key = {(spec.system.name, spec.ratio): cell for spec, cell in zip(specs, cells, strict=True)}
        repeated = [
            {spec.system.name: cell for spec, cell in zip(draw, _cells(benchmark, store, draw, bar), strict=True)}
            for draw in further_draws
        ]
    about = _about(benchmark, model, specs, questions, seed)
    first = next(spec for spec in specs if spec.ratio == smallest_ratio)
    activations = _activations(benchmark, store, first)
    tables = write_tables(out, cells_by_key, about)
    if repeated:
        first_draw = {name: cells_by_key[name, smallest_ratio] for name in repeated[0]}
        page = draws_page([first_draw, *repeated], smallest_ratio, fewer_questions)
        write_table(out, 11, page, {"title": "Several choices of forgotten people", "about": about})
        append(out, page.markdown)
        tables.append(11)
    figures = write_figures(out, cells_by_key, activations)
    write_case_study(out / "case_study.html", benchmark.reference, first.people, cells_by_key, first.ratio, EVERYBODY)
    append(out, "\n\n".join(f"![{name}]({name})" for name in figures) + "\n\n[Case study](case_study.html)")
    (out / "about.json").write_text(
        json.dumps(about | {"tables": tables, "figures": figures, "seconds": round(time.monotonic() - began)}, indent=1)
        + "\n"
    )
    count = len(specs) + sum(map(len, further_draws))
    print(f"{count} cells, tables {', '.join(map(str, tables))}, {len(figures)} figures: {out}")


def _cells(benchmark: PaperBenchmark, store: CellStore, specs: Sequence[CellSpec], bar: Any) -> list[dict[str, Any]]:
    """The cells of `specs`: read if they exist, run otherwise; `bar` advances by one for each."""
    cells = []
    for spec in specs:
        bar.set_postfix_str(spec.name)
        cell = store.read(spec)
        if cell is None:
            cell = run(
                benchmark,
                spec,
                question_sets(benchmark.reference, spec.people, spec.ratio, spec.columns, spec.questions),
            )
            store.write(spec, cell)
        cells.append(cell)
        bar.update()
    return cells


def _specs(
    reference: Reference,
    systems_by_name: dict[str, SystemSpec],
    ratio: int,
    questions: int,
    only: Sequence[str],
    seed: int,
) -> list[CellSpec]:
    """The cells that the tables and figures of one ratio need. Systems in no text table are asked by picture only."""
    both = {name for table in TABLES if table.ratio == ratio and "qa" in table.columns for name in table.systems}
    wanted = [name for table in TABLES if table.ratio == ratio for name in table.systems]
    if ratio == SWEPT_AT:
        wanted += [gamma_name(gamma) for gamma in GAMMAS] + [lambda_name(value) for value in LAMBDAS]
    names = [name for name in dict.fromkeys(("base", *wanted)) if name in systems_by_name]
    people = tuple(forgotten(reference, ratio, seed))
    return [
        CellSpec(systems_by_name[name], ratio, people, ("vqa", "qa") if name in both else ("vqa",), questions)
        for name in names
        if not only or name == "base" or name in only
    ]


def _activations(benchmark: PaperBenchmark, store: CellStore, spec: CellSpec) -> dict[str, Any]:
    """The numbers of figures 4 and 8, stored as a cell of their own."""
    activations_spec = replace(
        spec, system=SystemSpec("activations", "", "activations", spec.system.make), columns=(), questions=0
    )
    numbers = store.read(activations_spec)
    if numbers is None:
        numbers = examine(benchmark, spec.people)
        store.write(activations_spec, numbers)
    return numbers


def _about(
    benchmark: PaperBenchmark, model: str, specs: Sequence[CellSpec], questions: int, seed: int
) -> dict[str, Any]:
    """The facts about the run that the captions state."""
    return {
        "model": model,
        "base_model": benchmark.engine.vlm.site.base_model,
        "layers": len(benchmark.engine.vlm.site.layers),
        "hidden": benchmark.engine.vlm.site.hidden_size,
        "fictitious": sum(len(benchmark.reference.of(split)) for split in FICTITIOUS),
        "forgotten": {str(spec.ratio): len(spec.people) for spec in specs},
        "questions": questions,
        "seed": seed,
        "baselines": {name: asdict(settings) for name, settings in benchmark.tuned.items()},
        "threads": torch.get_num_threads(),
    }


if __name__ == "__main__":
    main()
