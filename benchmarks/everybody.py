"""Every forgettable person of a model in one version: how many tickets pass the audit, by kind of ticket.

    python -m benchmarks.everybody --json FILE [--model FOLDER] [--kinds "by name"]

The audit is that of the product (`services.audit.suite`), with the thresholds that are set by default, and every ticket
counts as changed. A ticket that cannot be fitted is counted with its reason.
"""

import argparse
import json
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks.folders import model_folder
from benchmarks.many_tickets import ticket_material
from services.audit.suite import Suite
from services.audit.verdict import Thresholds, judge, settled
from services.refit.base_statistics import compute_statistics
from services.refit.fitting import fit_subject
from shared.core.progress import Progress
from shared.domain.subjects import Subject
from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.recipe import Recipe
from shared.errors import BadInput
from shared.evaluation.known_facts import other_people
from shared.evaluation.reference import Reference, load_reference
from shared.vlm.engine import Engine
from shared.vlm.loading import load

logger = logging.getLogger(__name__)
KINDS: Final = ("portrait, name and four facts", "by name", "by photograph")  # four facts in each


def main() -> None:
    """Read the command line, fit, audit, print and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--model", type=model_folder, default=Path("models/demo-vlm"))
    parser.add_argument("--kinds", default="; ".join(KINDS), help="separated by semicolons")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    engine, reference = Engine(load(given.model)), load_reference(given.model / "reference")
    statistics = compute_statistics(engine, reference, Recipe.named("lacuna"), logger.info)
    report: dict[str, Any] = {"site": engine.vlm.site.digest, "kinds": {}}
    for kind in given.kinds.split("; "):
        report["kinds"][kind] = audited(engine, reference, statistics, kind)
        print(kind, {name: value for name, value in report["kinds"][kind].items() if name != "failed"})
        given.json.write_text(json.dumps(report, indent=1) + "\n")


def material(subject: Subject, kind: str) -> Subject:
    """What a ticket of this kind holds of a person."""
    if kind != KINDS[0]:
        return ticket_material(subject, kind)
    return replace(subject, facts=tuple(fact for fact in subject.facts if fact.attribute != "name")[:4])


def audited(engine: Engine, reference: Reference, statistics: BaseStatistics, kind: str) -> dict[str, Any]:
    """How many tickets of one kind pass, and why the others do not."""
    began = time.monotonic()
    recipe = Recipe.named("lacuna")
    people = {person.id: person.subject for person in reference.of("forgettable")}
    asked: dict[str, Subject] = {}
    fits, refused = [], {}
    for person, subject in people.items():
        try:
            fits.append(
                fit_subject(engine, recipe, statistics, person, material(subject, kind), others=other_people(reference))
            )
            asked[person] = subject
        except BadInput as exc:
            refused[person] = exc.detail
        logger.info("%s: %d of %d tickets are fitted", kind, len(fits) + len(refused), len(people))
    eraser = assemble(recipe, statistics, engine.vlm.site, fits)
    fitted_s = round(time.monotonic() - began)
    figures = Suite(engine, reference).audit(eraser, asked, Progress(kind, lambda _: None))
    verdicts = settled(figures, Thresholds())["ticket_verdicts"]
    panels = figures["panels"]
    return {
        "tickets": len(people),
        "passed": sum(row["passed"] for row in verdicts.values()),
        "failed": {ticket: row["reason"] for ticket, row in verdicts.items() if not row["passed"]} | refused,
        "version": judge(figures, Thresholds()).word,
        "told": {name: panels[name]["told_after"] for name in ("forget", "test") if name in panels},
        "identical": {name: panel["identical"] for name, panel in panels.items() if name not in ("forget", "test")},
        "attacks": {name: figures["attacks"][name] for name in ("n", "told_before", "told_after")},
        "fitted_s": fitted_s,
        "seconds": round(time.monotonic() - began),
    }


if __name__ == "__main__":
    main()
