"""One cell of the run: one system at one forget ratio, asked everything. Written when it is finished, then skipped.

A cell's file name carries the digest of all it depends on: model, reference, system, people, questions and this code.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.paper.asking import ask
from benchmarks.paper.question_sets import Panel, examples
from benchmarks.paper.systems import Known, System, Workbench
from shared.evaluation import paper_tasks
from shared.evaluation.synthetic_people import Person

ROOT = Path(__file__).resolve().parents[2]
CODE = (
    "shared/erasure",
    "shared/vlm",
    "shared/evaluation",
    "shared/probes",
    "shared/baselines",
    "benchmarks/paper/cells.py",
    "benchmarks/paper/question_sets.py",
    "benchmarks/paper/systems.py",
    "benchmarks/paper/asking.py",
    "benchmarks/paper/activations.py",
    "services/refit/base_statistics.py",
    "services/refit/fitting.py",
    "services/refit/steering_vectors.py",
)


@dataclass(frozen=True)
class Job:
    """What one cell is made of. Systems of a sweep are asked by picture only, as in the paper."""

    known: Known
    ratio: int
    people: tuple[Person, ...]
    columns: tuple[str, ...]
    questions: int

    @property
    def name(self) -> str:
        """As in the file name."""
        return f"{self.ratio:02d}-{self.known.name}"


@dataclass(frozen=True)
class Cells:
    """The folder of finished cells."""

    folder: Path
    model: str  # digest of the site
    reference: str  # digest of the reference folder
    code: str

    def path(self, job: Job) -> Path:
        """Where the job's cell is, or will be."""
        depends = {
            "model": self.model,
            "reference": self.reference,
            "code": self.code,
            "system": job.known.key,
            "people": [person.id for person in job.people],
            "columns": job.columns,
            "questions": job.questions,
        }
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:16]
        return self.folder / f"{job.name}-{digest}.json"

    def read(self, job: Job) -> dict[str, Any] | None:
        """The finished cell, if there is one."""
        path = self.path(job)
        if not path.is_file():
            return None
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def write(self, job: Job, cell: dict[str, Any]) -> None:
        """Whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(job)
        half = path.with_suffix(".half")
        half.write_text(json.dumps(cell) + "\n")
        half.replace(path)


def code_digest() -> str:
    """sha256 (hex) over the code that a cell's figures depend on."""
    digest = hashlib.sha256()
    for place in CODE:
        root = ROOT / place
        for path in [root] if root.is_file() else sorted(root.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def run(bench: Workbench, job: Job, panels: Sequence[Panel]) -> dict[str, Any]:
    """Make the system, ask it everything, score every reply."""
    began = time.monotonic()
    declining = (bench.reference.unknown_answer, bench.reference.refusal)
    base = {panel.keep: _base(bench, panel, declining) for panel in panels if panel.questions}
    scores: dict[str, Any] = {}
    with job.known.make(bench, job.people) as system:
        for panel in (panel for panel in panels if panel.questions):
            if job.known.name == "base":
                replies = base[panel.keep]
            else:
                replies = ask(bench.engine, system.eraser, panel.task, panel.questions, declining)
            outcomes = _outcomes(panel, base[panel.keep], replies, declining)
            scores.setdefault(panel.set, {}).setdefault(panel.column, {})[panel.task] = {
                "people": [question.person for question in panel.questions],
                "outcomes": {name: [round(float(value), 4) for value in found] for name, found in outcomes.items()},
            }
        shown, seconds = _examples(bench, system, job.people)
        cost = system.cost.as_json()
    return {
        "system": job.known.name,
        "label": job.known.label,
        "ratio": job.ratio,
        "people": [person.id for person in job.people],
        "cost": cost,
        "scores": scores,
        "examples": shown,
        "ten_queries_seconds": seconds,
        "seconds": time.monotonic() - began,
    }


def _base(bench: Workbench, panel: Panel, declining: Sequence[str]) -> paper_tasks.Replies:
    """The base model's replies, asked once for all systems, before any weight is changed."""
    key = f"base {panel.keep} {len(panel.questions)}"
    return bench.once(key, lambda: ask(bench.engine, None, panel.task, panel.questions, declining))


def _outcomes(
    panel: Panel, base: paper_tasks.Replies, replies: paper_tasks.Replies, declining: Sequence[str]
) -> paper_tasks.Outcomes:
    if panel.set == "stranger":
        outcomes = paper_tasks.agreement(panel.task, panel.questions, base, replies, len(declining))
    elif panel.task == "classification":
        outcomes = paper_tasks.classification(panel.questions, replies, declining)
    else:
        outcomes = (paper_tasks.generation if panel.task == "generation" else paper_tasks.cloze)(
            panel.questions, replies
        )
    return outcomes | {"same_text": [float(a == b) for a, b in zip(base.texts, replies.texts, strict=True)]}


def _examples(bench: Workbench, system: System, people: Sequence[Person]) -> tuple[list[dict[str, Any]], float]:
    """The case study's replies, asked one by one, and the seconds that the ten took."""
    asked = examples(bench.reference, people)
    bench.engine.generate([asked[0][1].prompt], eraser=system.eraser)  # the first call of all is never typical
    began = time.monotonic()
    replies = [bench.engine.generate([question.prompt], eraser=system.eraser)[0].text for _, question in asked]
    seconds = time.monotonic() - began
    return [
        {
            "set": name,
            "person": question.person,
            "by": question.by,
            "question": question.prompt.turns[-1].text,
            "accept": list(question.accept),
            "reply": reply,
        }
        for (name, question), reply in zip(asked, replies, strict=True)
    ], seconds
