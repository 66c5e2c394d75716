"""The paper's tables 1-10, figures 3-8 and case study from one run on one model.

    python -m benchmarks.paper_tables --out DIR [--model FOLDER] [--questions 36] [--only NAME,NAME] [--ratios 5,10,15]
        [--draws 5]

Tables 1-10 forget one choice of people; table 11 repeats the three tasks of table 1 for `--draws` choices.

Every finished cell (one system at one forget ratio) is written to DIR/cells and skipped the next time, so a run may be
interrupted anywhere. Knows which system stands in which table; how each is made, asked and scored stands in `paper/`.
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
from benchmarks.paper.cells import Cells, Job, code_digest, run
from benchmarks.paper.draws import draws_page
from benchmarks.paper.plots import write_figures
from benchmarks.paper.question_sets import panels
from benchmarks.paper.systems import GAMMAS, LAMBDAS, Known, Workbench, gamma_name, lambda_name, systems
from benchmarks.paper.tables import EVERYBODY, TABLES, append, write_table, write_tables
from benchmarks.paper.tuned import tune_baselines
from services.refit.steering_vectors import folder_digest
from shared.baselines.registry import BASELINES
from shared.baselines.tuning import Budget
from shared.evaluation.ratios import FICTITIOUS, RATIOS, forgotten
from shared.evaluation.reference import Reference, load_reference
from shared.vlm.engine import Engine
from shared.vlm.loading import load

SWEPT_AT = 10  # per cent, as in the paper
BUDGET = Budget(trials=6, coarse=4)  # of each baseline
QUESTIONS = 36  # a cell: the demo model then takes less than an hour on two cores, all systems and ratios
FEWER = 12  # a cell of the draws after the first


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description="The paper's tables and figures on one model.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--model",
        type=model_folder,
        default="demo-vlm",
        help="a folder with a reference/ of its people, or its name under models/",
    )
    parser.add_argument("--questions", type=int, default=QUESTIONS, help="at most so many a cell")
    parser.add_argument("--ratios", default=",".join(map(str, RATIOS)), help="per cent forgotten")
    parser.add_argument("--only", default="", help="these systems alone, and the base model")
    parser.add_argument("--seed", type=int, default=0, help="who is forgotten")
    parser.add_argument("--draws", type=int, default=5, help="seeds of table 11, from --seed on")
    chosen = parser.parse_args()
    bench = Workbench(Engine(load(chosen.model)), load_reference(chosen.model / "reference"))
    make_tables(
        bench,
        chosen.out,
        model=str(chosen.model),
        reference_digest=folder_digest(chosen.model / "reference"),
        questions=chosen.questions,
        ratios=[int(ratio) for ratio in chosen.ratios.split(",")],
        only=[name for name in chosen.only.split(",") if name],
        seed=chosen.seed,
        draws=chosen.draws,
    )


def make_tables(
    bench: Workbench,
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
    """Run what is not there yet, then write all tables, figures and the page."""
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    store = Cells(out / "cells", bench.engine.vlm.site.digest, reference_digest, code_digest())
    fewer = min(questions, FEWER)
    least, seeds = min(ratios), range(seed + 1, seed + draws)
    evaluated = {person.id for ratio in ratios for person in forgotten(bench.reference, ratio, seed)}
    evaluated |= {person.id for other in seeds for person in forgotten(bench.reference, least, other)}
    named = [name for name in BASELINES if not only or name in only]
    bench.tuned = tune_baselines(bench, store, named, evaluated, budget)
    known = systems(bench)
    jobs = [job for ratio in ratios for job in _jobs(bench.reference, known, ratio, questions, only, seed)]
    again = [
        [
            replace(job, columns=("vqa",), questions=fewer)
            for job in _jobs(bench.reference, known, least, fewer, only, s)
        ]
        for s in seeds
    ]
    again = [[job for job in each if job.known.name in EVERYBODY] for each in again]
    with tqdm(total=len(jobs) + sum(map(len, again)), desc="cells") as bar:
        cells = _cells(bench, store, jobs, bar)
        found = {(job.known.name, job.ratio): cell for job, cell in zip(jobs, cells, strict=True)}
        repeated = [
            {job.known.name: cell for job, cell in zip(each, _cells(bench, store, each, bar), strict=True)}
            for each in again
        ]
    about = _about(bench, model, jobs, questions, seed)
    first = next(job for job in jobs if job.ratio == least)
    activations = _activations(bench, store, first)
    tables = write_tables(out, found, about)
    if repeated:
        here = {name: found[name, least] for name in repeated[0]}
        page, records = draws_page([here, *repeated], least, fewer)
        write_table(out, 11, page, records, {"title": "Several choices of forgotten people", "about": about})
        append(out, page)
        tables.append(11)
    figures = write_figures(out, found, activations)
    write_case_study(out / "case_study.html", bench.reference, first.people, found, first.ratio, EVERYBODY)
    append(out, "\n\n".join(f"![{name}]({name})" for name in figures) + "\n\n[Case study](case_study.html)")
    (out / "about.json").write_text(
        json.dumps(about | {"tables": tables, "figures": figures, "seconds": round(time.monotonic() - began)}, indent=1)
        + "\n"
    )
    print(
        f"{len(jobs) + sum(map(len, again))} cells, tables {', '.join(map(str, tables))}, {len(figures)} figures: {out}"
    )


def _cells(bench: Workbench, store: Cells, jobs: Sequence[Job], bar: Any) -> list[dict[str, Any]]:
    """What is kept, and the rest made; `bar` moves by one a job."""
    cells = []
    for job in jobs:
        bar.set_postfix_str(job.name)
        cell = store.read(job)
        if cell is None:
            cell = run(bench, job, panels(bench.reference, job.people, job.ratio, job.columns, job.questions))
            store.write(job, cell)
        cells.append(cell)
        bar.update()
    return cells


def _jobs(
    reference: Reference, known: dict[str, Known], ratio: int, questions: int, only: Sequence[str], seed: int
) -> list[Job]:
    """The cells of one ratio: what its tables and figures hold. What no text table holds is asked by picture only."""
    both = {name for table in TABLES if table.ratio == ratio and "qa" in table.columns for name in table.systems}
    wanted = [name for table in TABLES if table.ratio == ratio for name in table.systems]
    if ratio == SWEPT_AT:
        wanted += [gamma_name(gamma) for gamma in GAMMAS] + [lambda_name(value) for value in LAMBDAS]
    names = [name for name in dict.fromkeys(("base", *wanted)) if name in known]
    people = tuple(forgotten(reference, ratio, seed))
    return [
        Job(known[name], ratio, people, ("vqa", "qa") if name in both else ("vqa",), questions)
        for name in names
        if not only or name == "base" or name in only
    ]


def _activations(bench: Workbench, store: Cells, job: Job) -> dict[str, Any]:
    """Figures 4 and 8's numbers, kept as a cell of their own."""
    own = replace(job, known=Known("activations", "", "activations", job.known.make), columns=(), questions=0)
    kept = store.read(own)
    if kept is None:
        kept = examine(bench, job.people)
        store.write(own, kept)
    return kept


def _about(bench: Workbench, model: str, jobs: Sequence[Job], questions: int, seed: int) -> dict[str, Any]:
    """What the captions say of the run."""
    return {
        "model": model,
        "base_model": bench.engine.vlm.site.base_model,
        "layers": len(bench.engine.vlm.site.layers),
        "hidden": bench.engine.vlm.site.hidden_size,
        "fictitious": sum(len(bench.reference.of(split)) for split in FICTITIOUS),
        "forgotten": {str(job.ratio): len(job.people) for job in jobs},
        "questions": questions,
        "seed": seed,
        "baselines": {name: asdict(settings) for name, settings in bench.tuned.items()},
        "threads": torch.get_num_threads(),
    }


if __name__ == "__main__":
    main()
