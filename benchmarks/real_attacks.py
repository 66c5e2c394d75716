"""Attacks on a model with real pretrained weights: every black-box family on people whom no fit has seen.

    python -m benchmarks.real_attacks --model models/smol-vlm-built --people 3 --draws 2 --skip 12 --json FILE
        [--families spelling,pictures] [--per-family 4] [--samples 16]

The model, its profile and the draws are those of `benchmarks.real_weights`, and so are the kept statistics and fits;
the attacks, their controls and the questions that come near a forgotten person are those of an audit
(`services.audit.black_box`). Every person's figures are written at once, and not measured again at the next start.
Figures: told of what the base model tells, net of controls (shared/evaluation/attacks/results.py).
"""

import argparse
import json
import logging
import time
from pathlib import Path
from typing import Any

from benchmarks.attack_tables import report_table, summary
from benchmarks.real_weights import RealWeightsBenchmark, add_arguments, prepared
from services.audit.black_box import BlackBox
from shared.domain.subjects import Subject
from shared.erasure.eraser import Eraser
from shared.evaluation.attacks.families import FAMILIES

logger = logging.getLogger(__name__)


def main() -> None:
    """Read the command line, attack, print the table and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--per-family", type=int, default=4, help="attacks of one family on one person, at most")
    parser.add_argument("--samples", type=int, default=16, help="answers of each attack of the family sampling")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logger.setLevel(logging.INFO)
    benchmark = prepared(given)
    settings = {name: getattr(given, name) for name in ("families", "per_family", "samples", "people", "skip")}
    settings["site"] = benchmark.engine.vlm.site.digest
    people = _known(given.json, settings)
    for number, draw in enumerate(benchmark.draws):
        eraser = benchmark.eraser(benchmark.recipe("lacuna"), draw.tickets)
        for person, subject in draw.tickets.items():
            if person in people:
                continue
            logger.info("draw %d, %s", number, person)
            people[person] = {"draw": number} | attacked(benchmark, eraser, person, subject, given)
            _write(given.json, settings, people)
    print(report_table({"lacuna": summary([*people.values()])}))


def attacked(
    benchmark: RealWeightsBenchmark, eraser: Eraser, person: str, subject: Subject, given: argparse.Namespace
) -> dict[str, Any]:
    """The figures of the attacks on one person, and of the questions that come near them."""
    began = time.monotonic()
    box = BlackBox(benchmark.engine, benchmark.reference)
    subject = benchmark.engine.readable(subject)
    seen = box.in_full(eraser, person, subject, given.families.split(","), given.per_family, given.samples)
    near = box.near(eraser, {person: subject}, given.per_family)
    return {
        "families": {family: figures.as_json() for family, figures in seen.figures().items()},
        "bystanders": {
            family: {kind: figures.as_json() for kind, figures in kinds.items()} for family, kinds in near.items()
        },
        "seconds": round(time.monotonic() - began, 1),
    }


def _known(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The people of an earlier start with the same settings."""
    stored = json.loads(path.read_text()) if path.is_file() else {}
    known: dict[str, Any] = stored["people"] if stored.get("settings") == settings else {}
    return known


def _write(path: Path, settings: dict[str, Any], people: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {"settings": settings, "people": people, "systems": {"lacuna": summary([*people.values()])}}
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
