"""`lacuna up` keeps serving: every process is killed with SIGKILL, and the stack answers again by itself.

The tests run in order over one stack, so that what an earlier death broke shows in a later test.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.conftest import KeptStacks
from tests.integration.kept_stack import LACUNA, Stack, free_ports, wait_until

pytestmark = pytest.mark.timeout(600)
KEPT = Path(__file__).parent / "data" / "before_move"


@pytest.fixture(scope="module")
def stack(kept_stacks: KeptStacks) -> Iterator[Stack]:
    """That of `test_upgrade.py`, where it ran before."""
    yield kept_stacks.running(KEPT)
    kept_stacks.stop()


def process(stack: Stack, name: str) -> dict[str, Any]:
    states: list[dict[str, Any]] = json.loads((stack.data / "processes.json").read_text())
    return next(state for state in states if state["name"] == name)


def answers(stack: Stack) -> bool:
    """Whether the officer's API and the model answer, each with what it needs of the others."""
    try:
        asked = stack.casey.send(
            "POST",
            "/v1/chat/completions",
            json={"model": "demo-vlm", "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 2},
        )
        return asked.is_success and stack["olivia"].send("GET", "/v1/status").is_success
    except httpx.HTTPError:
        return False


def kill_and_wait(stack: Stack, name: str) -> dict[str, Any]:
    """Kill the process `name`, wait until it runs again and the stack answers, and return its state."""
    before = process(stack, name)
    os.kill(before["pid"], signal.SIGKILL)

    def back() -> bool:
        now = process(stack, name)
        return now["state"] == "running" and now["pid"] != before["pid"] and answers(stack)

    wait_until(back, f"{name} to be back", 240)
    now = process(stack, name)
    assert now["restarts"] == before["restarts"] + 1
    assert now["last_end"] == "signal 9"
    return now


def connections(server: int, role: str) -> Iterator[int]:
    """The processes in which PostgreSQL serves a role."""
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == server and role in (path / "cmdline").read_text():
                yield int(path.name)


def slow(*names: str) -> list[Any]:
    """Those that are killed in `make test-all` alone: each takes the stack away for a while."""
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", ["inference", "refit", *slow("request", "control-loop", "audit", "beat")])
def test_killed_process_runs_again_and_the_stack_answers(stack: Stack, name: str) -> None:
    kill_and_wait(stack, name)


@pytest.mark.parametrize("name", ["postgres", *slow("valkey", "s3")])
def test_killed_backend_runs_again_and_the_stack_answers(stack: Stack, name: str) -> None:
    kill_and_wait(stack, name)


def test_killed_connection_of_postgres_is_survived_without_a_restart(stack: Stack) -> None:
    """PostgreSQL ends all connections when one is killed; each process has to connect again."""
    before = {name: process(stack, name)["restarts"] for name in ("postgres", "request", "inference", "control-loop")}
    os.kill(next(connections(process(stack, "postgres")["pid"], "lacuna_inference")), signal.SIGKILL)
    wait_until(lambda: answers(stack), "an answer", 60)
    assert {name: process(stack, name)["restarts"] for name in before} == before


EXPECTED = {
    "request": 'lacuna_http_requests_total{method="GET",route="/v1/status",status="200"}',
    "inference": 'lacuna_inference_answers_total{outcome="answered"}',
    "control-loop": 'lacuna_replicas{current="yes"} 1.0',
    "refit": "lacuna_worker_task_age_seconds 0.0",
    "audit": "lacuna_worker_task_age_seconds 0.0",
    "beat": "process_resident_memory_bytes",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_process_serves_its_metrics_after_a_restart_too(stack: Stack, name: str) -> None:
    addresses = json.loads((stack.data / "stack.json").read_text())["metrics"]

    def served() -> bool:
        try:
            return EXPECTED[name] in httpx.get(addresses[name], trust_env=False, timeout=20).text
        except httpx.HTTPError:
            return False

    wait_until(served, f"{EXPECTED[name]} of {name}", 120)


@pytest.mark.parametrize("service", ["request", "inference"])
def test_clients_do_not_reach_the_metrics(stack: Stack, service: str) -> None:
    """Who may ask the model and read how often it fired learns who is forgotten."""
    api = stack["olivia"] if service == "request" else stack.casey
    assert api.send("GET", "/metrics").status_code == 404


def test_restarts_are_shown_in_the_terminal_and_in_lacuna_status(stack: Stack) -> None:
    wait_until(lambda: process(stack, "postgres")["state"] == "running", "PostgreSQL")
    shown = stack.lacuna("status")
    assert "processes: 9 of 9 run" in shown
    assert any(line.split()[:4] == ["inference", "running", "1", "signal"] for line in shown.splitlines())
    log = (stack.data / "up.log").read_text()
    assert "inference ended unexpectedly (signal 9). It is started again in 0.5 s (1 of at most 8 times" in log
    assert "inference runs again after" in log


def test_status_names_the_processes_while_the_api_is_dead(stack: Stack) -> None:
    os.kill(process(stack, "request")["pid"], signal.SIGSTOP)  # a death would be over too soon
    try:
        done = subprocess.run(
            [str(LACUNA), "status", "--data", str(stack.data)],
            capture_output=True, text=True, check=False, timeout=200,
            env={**os.environ, "LACUNA_URL": ""},
        )  # fmt: skip
    finally:
        os.kill(process(stack, "request")["pid"], signal.SIGCONT)
    assert "processes: 9 of 9 run" in done.stdout


def test_process_that_cannot_be_repaired_ends_the_stack_with_a_sentence(tmp_path: Path) -> None:
    data = tmp_path / "data"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LACUNA_")}
    environment |= {"LACUNA_DATA": str(data), "LACUNA_MODEL_SOURCE": "models/demo-vlm", "LACUNA_RECIPE": "none-of-ours"}
    for service, port in zip(("REQUEST", "INFERENCE"), free_ports(), strict=True):
        environment[f"LACUNA_{service}_PORT"] = str(port)
    done = subprocess.run(
        [str(LACUNA), "up"], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300, env=environment
    )
    assert done.returncode == 1
    assert "refit ended unexpectedly (exit status 78)" in done.stdout + done.stderr
    assert "no restart repairs this" in done.stdout + done.stderr
    assert "is started again" not in done.stdout
    assert not (data / "processes.json").exists()
