"""The plan of `models/bench-vlm`: enough people for the tables, all different, and nothing that is shipped."""

import subprocess
from collections import Counter
from pathlib import Path

from shared.evaluation.ratios import FICTITIOUS
from shared.evaluation.synthetic_people import SPLITS, UNKNOWN_SPLITS, generate_people
from training.build_demo_vlm import BENCH, SIZES


def test_it_knows_at_least_three_hundred_people() -> None:
    """300 or more fictitious people, enough of them forgettable for 15 %, every split there."""
    assert list(BENCH) == list(SPLITS)
    fictitious = sum(BENCH[split] for split in FICTITIOUS)
    assert fictitious >= 300
    assert BENCH["forgettable"] >= max(64, 0.15 * fictitious)


def test_the_generator_can_draw_them_all() -> None:
    """Nobody shares a full name, and no face is another's."""
    people = generate_people(7, BENCH)
    assert Counter(person.split for person in people) == BENCH
    assert len({person.subject.names for person in people}) == len(people)
    assert len({person.features for person in people}) == len(people)
    assert all(BENCH[split] >= 40 for split in UNKNOWN_SPLITS)


def test_it_is_taught_in_proportion() -> None:
    """As many steps a person as the demo model got, within its clock at that model's 0.82 s a step."""
    demo, bench = SIZES["demo"], SIZES["bench"]
    known = {
        name: sum(n for split, n in size.people.items() if split not in UNKNOWN_SPLITS) for name, size in SIZES.items()
    }
    assert bench.steps / known["bench"] >= 0.9 * demo.steps / known["demo"]
    assert bench.minutes * 60 >= bench.steps * 0.82


def test_it_is_not_shipped() -> None:
    """Git ignores it, and make knows how to build it."""
    assert "models/bench-vlm/" in Path(".gitignore").read_text().split()
    plan = subprocess.run(["make", "-n", "bench-model"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    assert "--size bench --out models/bench-vlm" in plan
