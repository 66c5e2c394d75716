"""The plan of `models/bench-vlm`: enough people for the tables, all different, and no part of the release."""

import subprocess
from collections import Counter
from pathlib import Path

from shared.evaluation.people import SPLITS, UNKNOWN_SPLITS
from shared.evaluation.ratios import FICTITIOUS
from shared.evaluation.synthetic_people import generate_people
from training.build_demo_vlm import BENCH, SIZES


def test_bench_plan_has_at_least_three_hundred_fictitious_people() -> None:
    """Enough of them are forgettable for a ratio of 15 %, and no split is missing."""
    assert list(BENCH) == list(SPLITS)
    fictitious = sum(BENCH[split] for split in FICTITIOUS)
    assert fictitious >= 300
    assert BENCH["forgettable"] >= max(64, 0.15 * fictitious)


def test_generated_bench_people_have_different_names_and_faces() -> None:
    people = generate_people(7, BENCH)
    assert Counter(person.split for person in people) == BENCH
    assert len({person.subject.names for person in people}) == len(people)
    assert len({person.features for person in people}) == len(people)
    assert all(BENCH[split] >= 40 for split in UNKNOWN_SPLITS)


def test_bench_training_is_proportional_to_its_people() -> None:
    """As many steps a person as the demo model, within the time limit at that model's 0.82 s a step."""
    demo, bench = SIZES["demo"], SIZES["bench"]
    known = {
        name: sum(n for split, n in size.people.items() if split not in UNKNOWN_SPLITS) for name, size in SIZES.items()
    }
    assert bench.steps / known["bench"] >= 0.9 * demo.steps / known["demo"]
    assert bench.minutes * 60 >= bench.steps * 0.82


def test_bench_model_is_ignored_by_git_and_built_by_make() -> None:
    assert "models/bench-vlm/" in Path(".gitignore").read_text().split()
    plan = subprocess.run(["make", "-n", "bench-model"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    assert "--size bench --out models/bench-vlm" in plan
