"""One cell of the run: one system at one forget ratio, asked every question. Written when finished, skipped afterwards.

A cell's file name has the digest of everything it depends on: model, reference, system, people, questions and code.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.paper.asking import ask
from benchmarks.paper.question_sets import QuestionSet, examples
from benchmarks.paper.systems import PaperBenchmark, System, SystemSpec
from shared.evaluation import paper_tasks
from shared.evaluation.people import Person

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
class CellSpec:
    """What one cell depends on. Systems of a sweep are asked by picture only, as in the paper."""

    system: SystemSpec
    ratio: int
    people: tuple[Person, ...]
    columns: tuple[str, ...]
    questions: int

    @property
    def name(self) -> str:
        """The beginning of the cell's file name."""
        return f"{self.ratio:02d}-{self.system.name}"


@dataclass(frozen=True)
class CellStore:
    """The folder of finished cells."""

    folder: Path
    model: str  # digest of the site
    reference: str  # digest of the reference folder
    code: str

    def path(self, spec: CellSpec) -> Path:
        """The file of the cell, whether or not it exists."""
        depends = {
            "model": self.model,
            "reference": self.reference,
            "code": self.code,
            "system": spec.system.key,
            "people": [person.id for person in spec.people],
            "columns": spec.columns,
            "questions": spec.questions,
        }
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:16]
        return self.folder / f"{spec.name}-{digest}.json"

    def read(self, spec: CellSpec) -> dict[str, Any] | None:
        """The finished cell, or None."""
        path = self.path(spec)
        if not path.is_file():
            return None
        cell: dict[str, Any] = json.loads(path.read_text())
        return cell

    def write(self, spec: CellSpec, cell: dict[str, Any]) -> None:
        """Write the finished cell, atomically."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(spec)
        half = path.with_suffix(".half")
        half.write_text(json.dumps(cell) + "\n")
        half.replace(path)


def code_digest() -> str:
    """The sha256 (hex) of the code that a cell's figures depend on."""
    digest = hashlib.sha256()
    for place in CODE:
        root = ROOT / place
        for path in [root] if root.is_file() else sorted(root.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def run(benchmark: PaperBenchmark, spec: CellSpec, question_sets: Sequence[QuestionSet]) -> dict[str, Any]:
    """Make the system, ask it every question, score every reply."""
    began = time.monotonic()
    declining = (benchmark.reference.wording("unknown_answer"), benchmark.reference.wording("refusal"))
    base = {
        question_set.cache_key: _base(benchmark, question_set, declining)
        for question_set in question_sets
        if question_set.questions
    }
    scores: dict[str, Any] = {}
    with spec.system.make(benchmark, spec.people) as system:
        for question_set in (question_set for question_set in question_sets if question_set.questions):
            if spec.system.name == "base":
                replies = base[question_set.cache_key]
            else:
                replies = ask(benchmark.engine, system.eraser, question_set.task, question_set.questions, declining)
            outcomes = _outcomes(question_set, base[question_set.cache_key], replies, declining)
            scores.setdefault(question_set.set, {}).setdefault(question_set.column, {})[question_set.task] = {
                "people": [question.person for question in question_set.questions],
                "outcomes": {name: [round(float(value), 4) for value in values] for name, values in outcomes.items()},
            }
        shown = _examples(benchmark, system, spec.people)
        cost = system.cost.as_json()
    return {
        "system": spec.system.name,
        "label": spec.system.label,
        "ratio": spec.ratio,
        "people": [person.id for person in spec.people],
        "cost": cost,
        "scores": scores,
        "examples": shown.replies,
        "ten_queries_seconds": shown.seconds,
        "seconds": time.monotonic() - began,
    }


def _base(benchmark: PaperBenchmark, question_set: QuestionSet, declining: Sequence[str]) -> paper_tasks.Replies:
    """The base model's replies; it is asked once for all systems, before any weight is changed."""
    key = f"base {question_set.cache_key} {len(question_set.questions)}"
    return benchmark.compute_once(
        key, lambda: ask(benchmark.engine, None, question_set.task, question_set.questions, declining)
    )


def _outcomes(
    question_set: QuestionSet, base: paper_tasks.Replies, replies: paper_tasks.Replies, declining: Sequence[str]
) -> paper_tasks.Outcomes:
    if question_set.set == "stranger":
        outcomes = paper_tasks.agreement(question_set.task, question_set.questions, base, replies, len(declining))
    elif question_set.task == "classification":
        outcomes = paper_tasks.classification(question_set.questions, replies, declining)
    else:
        outcomes = (paper_tasks.generation if question_set.task == "generation" else paper_tasks.cloze)(
            question_set.questions, replies
        )
    return outcomes | {"same_text": [float(a == b) for a, b in zip(base.texts, replies.texts, strict=True)]}


@dataclass(frozen=True)
class _Examples:
    """The case study's questions with their replies, and the wall seconds that they took one by one."""

    replies: list[dict[str, Any]]
    seconds: float


def _examples(benchmark: PaperBenchmark, system: System, people: Sequence[Person]) -> _Examples:
    """Ask the questions of the case study one by one."""
    asked = examples(benchmark.reference, people)
    benchmark.engine.generate(
        [asked[0][1].prompt], eraser=system.eraser
    )  # not timed: the first call is slower than the others
    began = time.monotonic()
    replies = [benchmark.engine.generate([question.prompt], eraser=system.eraser)[0].text for _, question in asked]
    seconds = time.monotonic() - began
    records = [
        {
            "set": name,
            "person": question.person,
            "by": question.by,
            "question": question.prompt.turns[-1].text,
            "accept": list(question.accept),
            "reply": reply,
        }
        for (name, question), reply in zip(asked, replies, strict=True)
    ]
    return _Examples(records, seconds)
