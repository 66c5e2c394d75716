"""Four trials on a real stack: PostgreSQL, the control loop with Redis, a refit worker, and the S3 server are killed.

`make chaos` runs all trials.
"""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.plan import short_plan
from benchmarks.chaos.run import open_harness, run_trials, table
from benchmarks.chaos.trial import Harness

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def harness() -> Iterator[Harness]:
    """A stack that has completed its first ticket."""
    with tempfile.TemporaryDirectory(prefix="chaos-", dir="/var/tmp") as name:
        # PostgreSQL does not run as root, and its user must pass through this folder.
        Path(name).chmod(stat.S_IRWXU | (stat.S_IXGRP | stat.S_IXOTH if os.geteuid() == 0 else 0))
        with open_harness(Path(name)) as opened:
            yield opened


def test_killed_processes_lose_nothing_and_repeat_nothing(harness: Harness) -> None:
    results = run_trials(harness, short_plan(4))
    assert {result.trial.name(): result.problems for result in results if result.problems} == {}, table(results)
    assert len(results) == len(short_plan(4))
    assert harness.invariants.scalar("SELECT count(*) FROM ticket WHERE state = 'completed'") == 1
    assert harness.invariants.scalar("SELECT count(*) FROM eraser_version") >= len(results)
