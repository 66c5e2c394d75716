"""The paper's tables end to end on a tiny random model with two systems, and their figures from made-up cells."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import paper_tables
from benchmarks.paper import cells
from benchmarks.paper.question_sets import question_sets
from benchmarks.paper.summary import Figure, figure, pareto, summary
from benchmarks.paper.systems import PaperBenchmark
from services.refit.steering_vectors import SteeringVectors
from shared.evaluation.paper_tasks import NEW_TOKENS
from shared.evaluation.people import SPLITS
from shared.evaluation.reference import load_reference
from shared.evaluation.reference_files import write_people
from shared.evaluation.synthetic_people import generate_people
from shared.vlm.engine import Engine
from shared.vlm.loading import wrap
from training.optimization import new_model
from training.prompts import prompts_json
from training.tokenizer import build_processor

SIZES = dict.fromkeys(SPLITS, 2) | {"forgettable": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reference folder of a few people."""
    root = tmp_path_factory.mktemp("reference")
    write_people(root, generate_people(3, SIZES))
    (root / "prompts.json").write_text(json.dumps(prompts_json()))
    return root


@pytest.fixture(scope="module")
def benchmark(folder: Path) -> PaperBenchmark:
    """A tiny random model with random steering vectors, since it refuses no request from which to compute them."""
    torch.manual_seed(0)
    processor = build_processor(900)
    engine = Engine(wrap(new_model(processor, layers=2, hidden=64).eval(), processor))
    paper_benchmark = PaperBenchmark(engine, load_reference(folder))
    vector = torch.randn(2, 64, generator=torch.Generator().manual_seed(1))
    paper_benchmark.steering_vectors = lambda _: SteeringVectors(vector)  # type: ignore[method-assign, assignment]
    return paper_benchmark


def make_tables(benchmark: PaperBenchmark, folder: Path, out: Path) -> None:
    paper_tables.make_tables(
        benchmark,
        out,
        model="tiny",
        reference_digest=benchmark.reference.digest,
        questions=3,
        ratios=[5],
        only=["paper-input-unaware", "paper"],
        draws=2,
    )


@pytest.mark.slow  # 270 s on two busy cores
@pytest.mark.timeout(1200)
def test_run_writes_every_file_and_second_run_makes_only_the_missing_cell(
    benchmark: PaperBenchmark, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NEW_TOKENS, "generation", 3)  # a random model never ends its answer
    monkeypatch.setitem(NEW_TOKENS, "cloze", 3)
    make_tables(benchmark, folder, tmp_path)
    with (tmp_path / "table_2.csv").open() as sheet:
        rows = list(csv.DictReader(sheet))
    assert {row["system"] for row in rows} == {"base", "paper", "paper-input-unaware"}
    assert {row["set"] for row in rows} >= {"forget", "test", "retain", "celebrity", "held_out", "stranger", "all"}
    for row in rows:
        assert int(row["n"]) > 0
        assert 0 <= float(row["low"]) <= float(row["high"]) <= 1
    same = [row for row in rows if row["system"] == "base" and row["metric"] == "same_text"]
    assert {float(row["value"]) for row in same} == {1.0}
    assert json.loads((tmp_path / "table_1.json").read_text())["rows"]
    page = (tmp_path / "tables.md").read_text()
    assert all(f"## Table {number}." in page for number in (1, 2, 6, 7, 11))
    (drawn,) = json.loads((tmp_path / "table_11.json").read_text())["rows"]
    assert (drawn["system"], drawn["draws"]) == ("paper", 2)
    assert drawn["harmonic_worst"] <= drawn["harmonic_mean"] <= 1
    assert "Harmonic mean" in page
    for name in json.loads((tmp_path / "about.json").read_text())["figures"]:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "case_study.html").read_text().count("<article>") == 10

    ran: Counter[str] = Counter()
    run = cells.run

    def counting(benchmark: PaperBenchmark, spec: Any, question_sets: Any) -> Any:
        ran[spec.name] += 1
        return run(benchmark, spec, question_sets)

    monkeypatch.setattr(paper_tables, "run", counting)
    before = (tmp_path / "table_2.json").read_text()
    next((tmp_path / "cells").glob("05-paper-input-unaware-*")).unlink()
    make_tables(benchmark, folder, tmp_path)
    assert ran == {"05-paper-input-unaware": 1}
    after = json.loads((tmp_path / "table_2.json").read_text())
    assert after["rows"] == json.loads(before)["rows"]


def test_cache_keys_of_two_draws_differ_for_the_forgotten_and_agree_for_others(benchmark: PaperBenchmark) -> None:
    people = benchmark.reference.of("forgettable")
    first, second = (
        {asked.cache_key: asked for asked in question_sets(benchmark.reference, draw, 5, ("vqa",), 3)}
        for draw in (people[:2], people[2:4])
    )
    common = first.keys() & second.keys()
    assert {first[key].set for key in common} == {"retain", "celebrity", "held_out", "stranger"}
    assert all(first[key].questions == second[key].questions for key in common)


def cell(outcomes: dict[str, float]) -> dict[str, Any]:
    """A cell of two people whose figures in a set are all the same."""
    tasks = {"classification": "likelihood", "generation": "rouge_l", "cloze": "strict"}
    return {
        "scores": {
            group: {"vqa": {t: {"people": ["a", "b"], "outcomes": {m: [value, value]}} for t, m in tasks.items()}}
            for group, value in outcomes.items()
        }
    }


def test_forgetting_and_retention_are_shares_of_the_base_models_advantage_over_chance() -> None:
    sets = ("forget", "test", "retain", "celebrity", "held_out", "stranger")
    base = cell(dict.fromkeys(sets, 1.0))
    ideal = cell(dict.fromkeys(sets, 1.0) | {"forget": 0.0, "test": 0.0})
    collapsed = cell(dict.fromkeys(sets, 0.0))
    expected = {"same": (base, 0, 1, 0), "ideal": (ideal, 1, 1, 1), "collapsed": (collapsed, 1, 0, 0)}
    for steered, forgetting, retention, harmonic in expected.values():
        result = summary(steered, base, ["vqa"])
        assert (result.forgetting.value, result.retention.value) == (forgetting, retention)
        assert result.harmonic.value == pytest.approx(harmonic)
        assert (result.forgetting.n, result.forgetting.people) == (12, 2)
    assert figure(base, "forget", "vqa", "cloze", "strict") == Figure(1.0, 1.0, 1.0, 2, 2)
    assert figure(base, "forget", "qa", "cloze", "strict") is None


def test_pareto_front_holds_every_point_that_no_other_dominates() -> None:
    points = {"a": (1.0, 0.2), "b": (0.5, 0.9), "c": (0.4, 0.9), "d": (1.0, 0.2), "e": (0.0, 1.0)}
    assert pareto(points) == {"a", "b", "d", "e"}
