"""Request ids: taken from the client where they are well-formed, and written on every log line."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextvars import copy_context
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.core import logging as logging_module
from shared.core.logging import LogStyle, bind_request_id, configure_logging, current_request_id
from shared.errors import Unavailable

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`configure_logging` for a process that has no handlers yet; pytest has its own during a test."""
    root = logging.getLogger()
    level = root.level
    no_request = logging_module._current.set(None)  # of an earlier test in this process

    def run(**options: Any) -> None:
        monkeypatch.setattr(root, "handlers", [])
        configure_logging(**options)

    yield run
    root.setLevel(level)
    logging_module._current.reset(no_request)


def _bound(request_id: str | None, traceparent: str | None = None) -> str:
    return copy_context().run(bind_request_id, request_id, traceparent)


def test_well_formed_request_id_is_used() -> None:
    assert _bound("abc-1.2_3", f"00-{TRACE}-b7ad6b7169203331-01") == "abc-1.2_3"


def test_trace_id_is_used_where_there_is_no_request_id() -> None:
    assert _bound(None, f"00-{TRACE}-b7ad6b7169203331-01") == TRACE


@pytest.mark.parametrize("request_id", [None, "", "a b", "x" * 65, "naïve", "a\nb"])
def test_request_id_is_drawn_where_the_client_sends_no_good_one(request_id: str | None) -> None:
    first, second = _bound(request_id), _bound(request_id, "00-not-a-trace")
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second


def test_log_line_carries_the_request_id_of_its_context(
    configure: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    configure()

    def handle_request() -> None:
        bind_request_id("abc")
        logging.getLogger("test").info("inside")

    copy_context().run(handle_request)
    assert capsys.readouterr().err.splitlines()[-1] == "[abc] inside"
    assert current_request_id() != "abc"


def test_level_decides_what_is_logged(configure: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    configure(level=logging.WARNING)
    logging.getLogger("test").info("information")
    logging.getLogger("test").warning("a warning")
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition("] ")[2] for line in lines] == ["a warning"]


def test_json_line_has_time_level_request_id_and_fields(
    configure: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    configure(style=LogStyle(json=True))

    def handle_request() -> None:
        bind_request_id("abc")
        logging.getLogger("test").warning("two\nlines of %s", "text", extra={"fields": {"status": 503}})

    copy_context().run(handle_request)
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert datetime.fromisoformat(entry.pop("time")).tzinfo == UTC
    assert entry == {
        "level": "warning", "logger": "test", "message": "two\nlines of text", "request_id": "abc", "status": 503,
    }  # fmt: skip


def test_json_line_of_an_error_has_types_and_places_without_foreign_messages(
    configure: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    configure(style=LogStyle(json=True))
    try:
        try:
            int("Mara Lindqvist")
        except ValueError as exc:
            raise Unavailable("The store cannot be reached.") from exc
    except Unavailable:
        logging.getLogger("test").exception("ticket T-1 waits")
    line = capsys.readouterr().err
    first, second = json.loads(line)["error"]
    assert (first["type"], first["detail"], second["type"]) == (
        "Unavailable", "The store cannot be reached.", "ValueError",
    )  # fmt: skip
    assert "detail" not in second
    assert any("test_logging.py" in place for place in second["stack"])
    assert "Mara" not in line


def test_lines_of_the_web_server_and_of_the_queue_have_the_same_form(
    configure: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = logging.StreamHandler()
    logging.getLogger("uvicorn.error").addHandler(foreign)
    configure(style=LogStyle(json=True))
    for name in ("uvicorn.error", "celery.worker", "uvicorn.access", "httpx"):
        logging.getLogger(name).info("%s speaks", name)
    spoken = [json.loads(line)["logger"] for line in capsys.readouterr().err.splitlines()]
    assert spoken == ["uvicorn.error", "celery.worker"]


def test_line_of_a_request_can_be_switched_off(
    configure: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    configure(style=LogStyle(access=False))
    logging.getLogger("lacuna.access").info("GET / 200")
    configure(style=LogStyle())
    logging.getLogger("lacuna.access").info("GET /v1/log 200")
    assert capsys.readouterr().err == "GET /v1/log 200\n"
