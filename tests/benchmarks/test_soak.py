"""The soak test, short: every kind of client comes, honest ones are answered, and no connection is left.

`make soak` runs it for twenty minutes and watches the memory as well.
"""

import pytest

from benchmarks.soak import Plan, run
from benchmarks.soak_clients import HONEST, HOSTILE
from shared.devstack.backends import temporary_data
from shared.devstack.postgres import ON_DISK

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def test_honest_clients_are_answered_beside_hostile_ones() -> None:
    with temporary_data("soak-", ON_DISK) as data:
        report = run(data, Plan(requests=300, connections=60, seconds=20.0))
    assert report["failures"] == []
    assert report["outcomes"].keys() == {*HONEST, *HOSTILE}
    assert set(report["outcomes"]["wrong key"]) <= {"401", "429"}
    assert set(report["outcomes"]["malformed"]) == set(report["outcomes"]["enormous picture"]) == {"refused"}
    assert report["open_connections"]["at_rest"] == 0
