"""Traces: nothing without the switch, one trace through API, queue and worker with it, and no personal data in it."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from shared.core import tracing
from shared.devstack.processes import PROJECT_ROOT
from shared.errors import BadInput

TRACE = "0af7651916cd43dd8448eb211c80319c"


def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: tracing is switched on once for a process."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), **env},
    )  # fmt: skip


def spans(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]


def test_nothing_is_imported_while_tracing_is_off() -> None:
    code = """
    import sys
    from shared.core import observability, tracing
    tracing.configure_tracing("off", "test")
    with tracing.span("work"), tracing.server_span("") as span:
        span.name("x", {})
    tracing.begin_span("answer").end({})
    print([name for name in sys.modules if name.startswith("opentelemetry")])
    """
    assert run(code).stdout == "[]\n"


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(BadInput, match="off, console, otlp"):
        tracing.configure_tracing("zipkin", "test")


def test_request_id_is_the_id_of_the_trace_from_the_request_to_the_worker() -> None:
    """The worker knows the request id alone, from the message."""
    code = """
    from contextvars import copy_context
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from shared.core import tracing
    from shared.core.http import install_error_handlers
    from shared.core.logging import bind_request_id, current_request_id
    tracing.configure_tracing("console", "lacuna-test")
    app = FastAPI()
    install_error_handlers(app)
    sent = []

    @app.post("/v1/people/{name}")
    def file(name: str) -> None:
        with tracing.span("store"):
            sent.append(current_request_id())

    client = TestClient(app)
    client.post("/v1/people/mara?secret=mara")
    with tracing.span("outbox.send", {"task": "lacuna.refit"}, sent[0]):
        pass

    def work():
        bind_request_id(sent[0])
        with tracing.span("lacuna.refit"):
            pass

    copy_context().run(work)
    print(sent[0])
    """
    done = run(code)
    found = spans(done)
    assert [span["name"] for span in found] == ["store", "POST /v1/people/{name}", "outbox.send", "lacuna.refit"]
    traces = {span["context"]["trace_id"] for span in found}  # type: ignore[index]
    assert traces == {f"0x{done.stdout.strip()}"}
    assert found[0]["parent_id"] == found[1]["context"]["span_id"]  # type: ignore[index]
    assert "mara" not in done.stderr


def test_span_stands_below_that_of_the_client() -> None:
    code = f"""
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from shared.core import tracing
    from shared.core.http import install_error_handlers
    tracing.configure_tracing("console", "lacuna-test")
    app = FastAPI()
    install_error_handlers(app)
    client = TestClient(app)
    for sent in ("00-{TRACE}-b7ad6b7169203331-01", "nonsense", ""):
        print(client.get("/", headers={{"traceparent": sent}}).headers["x-request-id"])
    """
    done = run(code)
    first, second, third = spans(done)
    assert first["context"]["trace_id"] == f"0x{TRACE}"  # type: ignore[index]
    assert first["parent_id"] == "0xb7ad6b7169203331"
    assert second["parent_id"] is third["parent_id"] is None
    ids = [span["context"]["trace_id"] for span in (first, second, third)]  # type: ignore[index]
    assert ids == [f"0x{request_id}" for request_id in done.stdout.split()]


def test_error_is_noted_by_its_type_and_goes_on() -> None:
    code = """
    from shared.core import tracing
    tracing.configure_tracing("console", "lacuna-test")
    try:
        with tracing.span("work"):
            raise ValueError("mara lindqvist")
    except ValueError:
        print("raised")
    """
    done = run(code)
    (span,) = spans(done)
    assert done.stdout == "raised\n"
    assert span["attributes"] == {"error.type": "ValueError"}
    assert span["status"] == {"status_code": "ERROR"}
    assert "mara" not in done.stderr
