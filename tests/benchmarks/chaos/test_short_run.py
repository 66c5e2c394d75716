"""Four trials on a real stack: PostgreSQL, the control loop with Redis, a refit worker, and the S3 server are killed.

`make chaos` runs all trials.
"""

from collections.abc import Iterator

import pytest

from benchmarks.chaos.plan import short_plan
from benchmarks.chaos.run import open_harness, run_trials, table
from benchmarks.chaos.trial import Harness
from shared.devstack.backends import temporary_data
from shared.devstack.postgres import ON_DISK

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def harness() -> Iterator[Harness]:
    """A stack that has completed its first ticket."""
    with temporary_data("chaos-", ON_DISK) as data, open_harness(data) as opened:
        yield opened


def test_killed_processes_lose_nothing_and_repeat_nothing(harness: Harness) -> None:
    results = run_trials(harness, short_plan(4))
    assert {result.trial.name(): result.problems for result in results if result.problems} == {}, table(results)
    assert len(results) == len(short_plan(4))
    assert harness.invariants.scalar("SELECT count(*) FROM ticket WHERE state = 'completed'") == 1
    assert harness.invariants.scalar("SELECT count(*) FROM eraser_version") >= len(results)
