"""Four deaths on a real stack: PostgreSQL, clerk with Redis, a refit worker, the S3 server. `make chaos` has all."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.plan import short_plan
from benchmarks.chaos.run import carry_out, open_world, table
from benchmarks.chaos.trial import World

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="chaos-", dir="/var/tmp") as name:
        Path(name).chmod(stat.S_IRWXU | (stat.S_IXGRP | stat.S_IXOTH if os.geteuid() == 0 else 0))
        with open_world(Path(name)) as found:
            yield found


def test_whoever_dies_where_it_hurts_nothing_is_lost_and_nothing_done_twice(world: World) -> None:
    results = carry_out(world, short_plan(4))
    assert {one.trial.name(): one.problems for one in results if one.problems} == {}, table(results)
    assert len(results) == len(short_plan(4))
    assert world.truth.one("SELECT count(*) FROM ticket WHERE state = 'completed'") == 1
    assert world.truth.one("SELECT count(*) FROM eraser_version") >= len(results)
