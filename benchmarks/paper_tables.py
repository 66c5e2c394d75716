"""The paper's tables 1-10, figures 3-8 and case study from one run on one model.

    python -m benchmarks.paper_tables --out DIR [--model FOLDER] [--questions 36] [--only NAME,NAME] [--ratios 5,10,15]

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

from benchmarks.paper.activations import examine
from benchmarks.paper.case_study import write_case_study
from benchmarks.paper.cells import Cells, Job, code_digest, run
from benchmarks.paper.panels import panels
from benchmarks.paper.plots import write_figures
from benchmarks.paper.systems import GAMMAS, LAMBDAS, Known, Workbench, gamma_name, lambda_name, systems
from benchmarks.paper.tables import EVERYBODY, TABLES, write_tables
from benchmarks.paper.tuned import tune_baselines
from services.refit.pulls import folder_digest
from shared.baselines.named import BASELINES
from shared.baselines.tuning import Budget
from shared.bench.ratios import FICTITIOUS, RATIOS, forgotten
from shared.bench.reference import Reference, load_reference
from shared.vlm.engine import Engine
from shared.vlm.loading import load

SWEPT_AT = 10  # per cent, as in the paper
BUDGET = Budget(trials=6, coarse=4)  # of each baseline
QUESTIONS = 36  # a cell: the demo model then takes less than an hour on two cores, all systems and ratios


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description="The paper's tables and figures on one model.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="models/demo-vlm", help="a folder with a reference/ of its people")
    parser.add_argument("--questions", type=int, default=QUESTIONS, help="at most so many a cell")
    parser.add_argument("--ratios", default=",".join(map(str, RATIOS)), help="per cent forgotten")
    parser.add_argument("--only", default="", help="these systems alone, and the base model")
    parser.add_argument("--seed", type=int, default=0, help="who is forgotten")
    chosen = parser.parse_args()
    bench = Workbench(Engine(load(chosen.model)), load_reference(Path(chosen.model) / "reference"))
    make_tables(
        bench,
        chosen.out,
        model=str(chosen.model),
        reference_digest=folder_digest(Path(chosen.model) / "reference"),
        questions=chosen.questions,
        ratios=[int(ratio) for ratio in chosen.ratios.split(",")],
        only=[name for name in chosen.only.split(",") if name],
        seed=chosen.seed,
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
    budget: Budget = BUDGET,
) -> None:
    """Run what is not there yet, then write all tables, figures and the page."""
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    store = Cells(out / "cells", bench.engine.vlm.site.digest, reference_digest, code_digest())
    evaluated = {person.id for ratio in ratios for person in forgotten(bench.reference, ratio, seed)}
    named = [name for name in BASELINES if not only or name in only]
    bench.tuned = tune_baselines(bench, store, named, evaluated, budget)
    known = systems(bench)
    jobs = [job for ratio in ratios for job in _jobs(bench.reference, known, ratio, questions, only, seed)]
    found: dict[tuple[str, int], dict[str, Any]] = {}
    with tqdm(jobs, desc="cells") as bar:
        for job in bar:
            bar.set_postfix_str(job.name)
            cell = store.read(job)
            if cell is None:
                cell = run(bench, job, panels(bench.reference, job.people, job.ratio, job.columns, job.questions))
                store.write(job, cell)
            found[job.known.name, job.ratio] = cell
    about = _about(bench, model, jobs, questions, seed)
    first = next(job for job in jobs if job.ratio == min(ratios))
    activations = _activations(bench, store, first)
    tables = write_tables(out, found, about)
    figures = write_figures(out, found, activations)
    write_case_study(out / "case_study.html", bench.reference, first.people, found, first.ratio, EVERYBODY)
    with (out / "tables.md").open("a") as page:
        page.write("\n" + "\n\n".join(f"![{name}]({name})" for name in figures) + "\n\n[Case study](case_study.html)\n")
    (out / "about.json").write_text(
        json.dumps(about | {"tables": tables, "figures": figures, "seconds": round(time.monotonic() - began)}, indent=1)
        + "\n"
    )
    print(f"{len(jobs)} cells, tables {', '.join(map(str, tables))}, {len(figures)} figures: {out}")


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
