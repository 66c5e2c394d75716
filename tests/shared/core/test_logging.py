"""Request ids: taken from the client where they are well-formed, and written on every log line."""

import logging
import re
from collections.abc import Callable, Iterator
from contextvars import copy_context

import pytest

from shared.core.logging import bind_request_id, configure_logging, current_request_id

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`configure_logging` for a process that has no handlers yet; pytest has its own during a test."""
    root = logging.getLogger()
    level = root.level

    def run(**options: int) -> None:
        monkeypatch.setattr(root, "handlers", [])
        configure_logging(**options)

    yield run
    root.setLevel(level)


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
