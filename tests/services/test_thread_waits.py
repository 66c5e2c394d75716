"""A thread of torch that waits for another one soon sleeps, so that other processes of the machine do not starve it."""

import os
import subprocess
import sys

import pytest

import services


@pytest.mark.parametrize(
    ("given", "spins"),
    [
        ({}, services.SPINS),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, None),  # the operator's
    ],
)
def test_threads_spin_briefly_unless_the_operator_says_otherwise(given: dict[str, str], spins: str | None) -> None:
    bare = {name: value for name, value in os.environ.items() if name not in {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}}
    script = "import services, os, sys; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], env=bare | given, check=True, capture_output=True, text=True)
    assert said.stdout.split() == [str(spins), "False"]
