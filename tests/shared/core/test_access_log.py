"""Each request is logged and counted once, by its route template: nothing that a client sends is written down."""

import json
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from prometheus_client import generate_latest

from shared.core import metrics
from shared.core.http import install_error_handlers
from shared.core.logging import JsonFormatter
from shared.errors import NotFound

SECRET = "mara.lindqvist"


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/v1/people/{name}")
    def read(name: str) -> dict[str, str]:
        if name == "nobody":
            raise NotFound("There is no such person.")
        if name == "broken":
            raise RuntimeError(f"cannot read {SECRET}")
        return {"name": name}

    @app.get("/v1/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

        return StreamingResponse(pieces())

    @app.get("/healthz")
    def healthz() -> str:
        return "alive"

    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def access(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """The records, whatever tests before have configured."""
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, logger="lacuna.access")
    monkeypatch.setattr(logging.getLogger("lacuna.access"), "disabled", False)
    monkeypatch.setattr(logging.getLogger("lacuna.access"), "propagate", True)
    return caplog


def lines(access: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [json.loads(JsonFormatter().format(record)) for record in access.records if record.name == "lacuna.access"]


def count(route: str, status: str, method: str = "GET") -> float:
    return float(metrics.HTTP_REQUESTS.labels(method, route, status)._value.get())


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        (f"/v1/people/{SECRET}?token={SECRET}", "/v1/people/{name}", 200),
        ("/v1/people/nobody", "/v1/people/{name}", 404),
        ("/v1/people/broken", "/v1/people/{name}", 500),
        ("/v1/stream", "/v1/stream", 200),
        (f"/{SECRET}", "unmatched", 404),
    ],
)
def test_request_is_logged_and_counted_by_its_template(
    client: TestClient, access: pytest.LogCaptureFixture, path: str, route: str, status: int
) -> None:
    before = count(route, str(status))
    client.get(path)
    (line,) = lines(access)
    assert {key: line[key] for key in ("method", "route", "status")} == {
        "method": "GET", "route": route, "status": status,
    }  # fmt: skip
    assert line["message"] == f"GET {route} {status} {line['duration_ms']} ms"
    assert count(route, str(status)) == before + 1
    written = json.dumps(lines(access)) + generate_latest(metrics.HTTP.registry).decode()
    assert SECRET not in written


def test_refused_body_is_logged_too(client: TestClient, access: pytest.LogCaptureFixture) -> None:
    client.post("/v1/stream", content=b"x", headers={"Content-Length": str(10**12)})
    assert [(line["route"], line["status"]) for line in lines(access)] == [("unmatched", 413)]


def test_unknown_method_is_no_label_of_its_own(client: TestClient, access: pytest.LogCaptureFixture) -> None:
    client.request(SECRET.upper(), "/v1/stream")
    assert [line["method"] for line in lines(access)] == ["other"]
    assert SECRET.upper() not in generate_latest(metrics.HTTP.registry).decode()


def test_probe_is_counted_and_not_logged(client: TestClient, access: pytest.LogCaptureFixture) -> None:
    before = count("/healthz", "200")
    client.get("/healthz")
    assert lines(access) == []
    assert count("/healthz", "200") == before + 1


def test_line_of_a_request_has_the_id_of_its_answer(client: TestClient) -> None:
    """Formatted in the request's own context, as a handler does."""
    seen: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(JsonFormatter().format(record))

    logger, handler = logging.getLogger("lacuna.access"), Handler()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        answer = client.get("/v1/stream", headers={"X-Request-ID": "abc-1"})
    finally:
        logger.removeHandler(handler)
    assert answer.headers["x-request-id"] == "abc-1"
    assert json.loads(seen[0])["request_id"] == "abc-1"
