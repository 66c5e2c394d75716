"""Logging of every process, and the request id that log lines carry.

A request id follows a request through its answer, the log lines, the outbox, the queue and the workers. It comes from
`X-Request-ID` or `traceparent` (W3C Trace Context), and is drawn where the client sends neither.
"""

import logging
import re
import uuid
from contextvars import ContextVar
from typing import Final

REQUEST_ID_HEADER: Final = "X-Request-ID"
MESSAGE_HEADER: Final = "lacuna_correlation"  # of a message in the queue
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


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return f"[{_current.get()}] {line}" if _current.get() else line


def configure_logging(level: int = logging.INFO) -> None:
    """Log to standard error, each line with the request id that it belongs to. The one logging configuration."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
