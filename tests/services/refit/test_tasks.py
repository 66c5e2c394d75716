"""Which refits a message leads to, without a model."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from services.refit import tasks
from services.refit.pipeline import Outcome
from services.refit.run_record import RunRecord
from shared.db.tenants import OPTION
from tests.support.api import MODEL, People
from tests.support.databases import Databases
from tests.support.tenants import OTHER, OTHER_MODEL, add_tenant


def test_night_has_a_refit_for_the_model_of_every_tenant(
    database: Databases, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tenant(people)
    seen = []

    def note(context: Any, run: RunRecord, *_: Any) -> Outcome:
        seen.append((context.model_id, run.tenant, run.database.get_execution_options()[OPTION]))
        return Outcome.NOTHING_TO_DO

    monkeypatch.setattr(tasks, "refit", note)
    context: Any = SimpleNamespace(database=database.engine("refit"), lease_s=30.0, heartbeat=lambda: None)
    context.of_model = lambda model: SimpleNamespace(**vars(context) | {"model_id": model})
    for _ in range(2):  # a second message of the same night changes nothing
        tasks.nightly(context, date(2026, 11, 28))
    assert seen == [(MODEL, "default", "default"), (OTHER_MODEL, OTHER, OTHER)]
