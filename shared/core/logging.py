"""Logging of every process, and the request id that log lines carry.

A request id follows a request through its answer, the log lines, the outbox, the queue and the workers. It comes from
`X-Request-ID` or `traceparent` (W3C Trace Context), and is drawn where the client sends neither.
"""

import json
import logging
import re
import traceback
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from shared.errors import LacunaError

REQUEST_ID_HEADER: Final = "X-Request-ID"
MESSAGE_HEADER: Final = "lacuna_correlation"  # of a message in the queue
FIELDS: Final = "fields"  # attribute of a record: what a JSON line holds beside the message
TAKEN_OVER: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "celery")
QUIETER: Final = {
    "uvicorn.access": logging.CRITICAL,  # it writes paths; access_log.py writes templates
    "httpx": logging.WARNING,  # it writes whole URLs, those of webhooks too
}
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_current: ContextVar[str | None] = ContextVar("correlation", default=None)


def current_request_id() -> str | None:
    """The id of the request that this context works for, where there is one."""
    return _current.get()


def bind_request_id(request_id: str | None, traceparent: str | None = None) -> str:
    """Use the given id where it is well-formed, otherwise draw one. The id holds for the rest of this context."""
    if request_id is not None and _REQUEST_ID.fullmatch(request_id):
        chosen = request_id
    elif traceparent is not None and (match := _TRACEPARENT.fullmatch(traceparent)):
        chosen = match.group(1)
    else:
        chosen = uuid.uuid4().hex
    _current.set(chosen)
    return chosen


class TextFormatter(logging.Formatter):
    """A line for people: the request id, where there is one, and the message."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return f"[{_current.get()}] {line}" if _current.get() else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request id, and the fields of the record.

    Of an exception it names the types and the places in the code, but not the messages: an error of a library may
    quote what it could not read, and that may be personal data.
    """

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request_id := _current.get()) is not None:
            entry["request_id"] = request_id
        entry |= getattr(record, FIELDS, {})
        if record.exc_info and record.exc_info[1] is not None:
            entry["error"] = [_described(each) for each in _chain(record.exc_info[1])]
        return json.dumps(entry, ensure_ascii=False, default=str)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, at most eight of them."""
    each: BaseException | None = error
    for _ in range(8):
        if each is None:
            return
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def _described(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    described: dict[str, Any] = {
        "type": type(error).__name__,
        "stack": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, LacunaError):  # our own sentences, which hold no personal data
        described["detail"] = error.detail
    return described


@dataclass(frozen=True)
class LogStyle:
    """How log lines are written: as JSON or as text, and whether each HTTP request has one."""

    json: bool = False
    access: bool = True

    @classmethod
    def of_environment(cls) -> "LogStyle":
        """What LACUNA_LOG_FORMAT and LACUNA_LOG_ACCESS say. Raises BadInput."""
        from shared.core.config import load_settings  # noqa: PLC0415 - a quarter of a second for `lacuna --help`

        settings = load_settings().log
        return cls(settings.format == "json", settings.access)


def configure_logging(level: int = logging.INFO, style: LogStyle | None = None) -> None:
    """Log to standard error, each line with the request id that it belongs to. The one logging configuration.

    `style` is that of the environment by default. The loggers of the web server and of Celery are taken over too.
    Raises BadInput where the environment cannot be read.
    """
    style = style or LogStyle.of_environment()
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if style.json else TextFormatter("%(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=style.json)
    for name in TAKEN_OVER:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name, least in QUIETER.items():
        logging.getLogger(name).setLevel(least)
    access = logging.getLogger("lacuna.access")
    access.setLevel(level if style.access else logging.ERROR)
    access.disabled = False  # a library that configures logging for itself may have disabled what was there before
    if style.json:
        logging.captureWarnings(capture=True)
