"""Stubs that make a trial short: fewer people, fewer questions, nights that come when the harness says so.

The code takes the same paths as without them. The figures of an audit in a chaos stack mean nothing, so its thresholds
are wide open. `fault_injection.py` applies the stubs when their modules are imported.
"""

import importlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Final

PEOPLE: Final = 3  # of each split of the reference
QUESTIONS: Final = 8  # of each set of an audit
TRIGGER_EVERY_S: Final = 3.0
EXTRA_NIGHTS = "nights"  # a file with the number of nights that came in addition to those of the clock


def _reference(module: Any, _: Path) -> None:
    load = module.load_reference

    def load_few_people(folder: Any) -> Any:
        reference = load(folder)
        splits = dict.fromkeys(person.split for person in reference.people)
        return replace(reference, people=tuple(person for split in splits for person in reference.of(split)[:PEOPLE]))

    module.load_reference = load_few_people


def _suite(module: Any, _: Path) -> None:
    module.paper_tasks = lambda *_, **__: {}
    module.BYSTANDER_QUESTIONS = QUESTIONS
    importlib.import_module("services.audit.about_tickets").__dict__["IN_FULL"] = QUESTIONS
    importlib.import_module("services.audit.black_box").__dict__["ATTACKS"] = QUESTIONS


def _beat(module: Any, _: Path) -> None:
    module.app.conf.beat_schedule["nightly-refit"]["schedule"] = TRIGGER_EVERY_S


def _nightly(module: Any, folder: Path) -> None:
    latest, scheduled, path = module.latest_run_date, module.scheduled_at, folder / EXTRA_NIGHTS

    def extra() -> timedelta:
        return timedelta(days=int(path.read_text() or 0) if path.is_file() else 0)

    def latest_run_date(now: datetime, hour: int) -> date:
        night: date = latest(now, hour)
        return night + extra()

    def scheduled_at(night: date, hour: int) -> datetime:
        at: datetime = scheduled(night, hour)
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) if extra() else at

    module.latest_run_date, module.scheduled_at = latest_run_date, scheduled_at


STUBS: Final[dict[str, Callable[[ModuleType, Path], None]]] = {
    "shared.evaluation.reference": _reference,
    "services.audit.suite": _suite,
    "services.refit.beat": _beat,
    "shared.domain.nightly": _nightly,
}
