"""The tables end to end on a tiny random model with two systems: files parse, and a second run asks nothing."""

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
from services.refit.steering_vectors import SteeringVectors, folder_digest
from shared.evaluation.paper_tasks import NEW_TOKENS
from shared.evaluation.reference import load_reference
from shared.evaluation.reference_files import write_people
from shared.evaluation.synthetic_people import SPLITS, generate_people
from shared.vlm.engine import Engine
from shared.vlm.loading import wrap
from training.optimization import new_model
from training.prompts import prompts_json
from training.tokenizer import build_processor

SIZES = dict.fromkeys(SPLITS, 2) | {"forgettable": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few people."""
    root = tmp_path_factory.mktemp("reference")
    write_people(root, generate_people(3, SIZES))
    (root / "prompts.json").write_text(json.dumps(prompts_json()))
    return root


@pytest.fixture(scope="module")
def benchmark(folder: Path) -> PaperBenchmark:
    """A tiny random model with random steering vectors: it refuses nothing."""
    torch.manual_seed(0)
    processor = build_processor(900)
    engine = Engine(wrap(new_model(processor, layers=2, hidden=64).eval(), processor))
    made = PaperBenchmark(engine, load_reference(folder))
    vector = torch.randn(2, 64, generator=torch.Generator().manual_seed(1))
    made.steering_vectors = lambda _: SteeringVectors(vector)  # type: ignore[method-assign, assignment]
    return made


def make(benchmark: PaperBenchmark, folder: Path, out: Path) -> None:
    paper_tables.make_tables(
        benchmark,
        out,
        model="tiny",
        reference_digest=folder_digest(folder),
        questions=3,
        ratios=[5],
        only=["paper-input-unaware", "paper"],
        draws=2,
    )


def test_a_run_writes_everything_and_goes_on_where_it_stopped(
    benchmark: PaperBenchmark, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables parse, carry n and intervals; a killed cell is made anew and no other; other questions are other cells."""
    monkeypatch.setitem(NEW_TOKENS, "generation", 3)  # a random model never ends
    monkeypatch.setitem(NEW_TOKENS, "cloze", 3)
    make(benchmark, folder, tmp_path)
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
    make(benchmark, folder, tmp_path)
    assert ran == {"05-paper-input-unaware": 1}
    after = json.loads((tmp_path / "table_2.json").read_text())
    assert after["rows"] == json.loads(before)["rows"]


def test_what_is_kept_of_the_forgotten_is_kept_for_these_people_alone(benchmark: PaperBenchmark) -> None:
    """Two draws at one ratio ask other questions under other names; everybody else is asked the same."""
    everybody = benchmark.reference.of("forgettable")
    one, other = ({p.cache_key: p for p in question_sets(benchmark.reference, some, 5, ("vqa",), 3)}
                  for some in (everybody[:2], everybody[2:4]))  # fmt: skip
    assert {one[keep].set for keep in one.keys() & other.keys()} == {"retain", "celebrity", "held_out", "stranger"}
    assert all(one[keep].questions == other[keep].questions for keep in one.keys() & other.keys())


def cell(outcomes: dict[str, float]) -> dict[str, Any]:
    """A cell of two people, whose every figure in a set is the same."""
    tasks = {"classification": "likelihood", "generation": "rouge_l", "cloze": "strict"}
    return {
        "scores": {
            group: {"vqa": {t: {"people": ["a", "b"], "outcomes": {m: [value, value]}} for t, m in tasks.items()}}
            for group, value in outcomes.items()
        }
    }


def test_forgetting_and_retention_are_shares_of_what_the_base_model_knows() -> None:
    """Nothing forgotten: 0 and 1. All gone, nobody touched: 1 and 1. All gone, of everybody: 1 and 0, mean 0."""
    sets = ("forget", "test", "retain", "celebrity", "held_out", "stranger")
    base = cell(dict.fromkeys(sets, 1.0))
    ideal = cell(dict.fromkeys(sets, 1.0) | {"forget": 0.0, "test": 0.0})
    collapsed = cell(dict.fromkeys(sets, 0.0))
    expected = {"same": (base, 0, 1, 0), "ideal": (ideal, 1, 1, 1), "collapsed": (collapsed, 1, 0, 0)}
    for one, forgetting, retention, harmonic in expected.values():
        found = summary(one, base, ["vqa"])
        assert (found.forgetting.value, found.retention.value) == (forgetting, retention)
        assert found.harmonic.value == pytest.approx(harmonic)
        assert (found.forgetting.n, found.forgetting.people) == (12, 2)
    assert figure(base, "forget", "vqa", "cloze", "strict") == Figure(1.0, 1.0, 1.0, 2, 2)
    assert figure(base, "forget", "qa", "cloze", "strict") is None


def test_the_front_holds_whoever_is_beaten_by_nobody() -> None:
    """Equal points do not beat each other."""
    points = {"a": (1.0, 0.2), "b": (0.5, 0.9), "c": (0.4, 0.9), "d": (1.0, 0.2), "e": (0.0, 1.0)}
    assert pareto(points) == {"a", "b", "d", "e"}
