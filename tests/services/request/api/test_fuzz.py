"""Schemathesis over the whole OpenAPI document: no server error, no undocumented status. `make fuzz` runs longer."""

import os
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from tests.support.api import People
from tests.support.workers import Worker

EXAMPLES = int(os.environ.get("LACUNA_FUZZ_EXAMPLES", "4"))


@pytest.mark.filterwarnings("ignore")
def test_no_request_makes_a_server_error_or_an_undocumented_answer(people: People, worker: Worker) -> None:
    """Every operation, as an administrator, over the real application and database."""
    worker.publish()
    head = {"Authorization": f"Bearer {people.keys['rosa']}"}
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", people.app.app)
    asked = 0
    for result in schema.get_all_operations():
        operation = cast(Ok[Any], result).ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=EXAMPLES < 10,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            checks = [not_a_server_error, status_code_conformance, content_type_conformance]
            case.call_and_validate(headers=head, checks=checks)

        ask()
    assert asked >= EXAMPLES
