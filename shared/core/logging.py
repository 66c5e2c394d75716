"""One id that follows a request through answers, log lines, the outbox, the queue and the workers.

Accepted from `X-Request-ID` or `traceparent` (W3C Trace Context), or made. Knows no framework.
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
    """The id of what is being done here, if it has one."""
    return _current.get()


def bind_request_id(request_id: str | None, traceparent: str | None = None) -> str:
    """Take the given id where it is well-formed, else make one; it stays for the rest of this context."""
    if request_id is not None and _REQUEST_ID.fullmatch(request_id):
        chosen = request_id
    elif traceparent is not None and (found := _TRACEPARENT.fullmatch(traceparent)):
        chosen = found.group(1)
    else:
        chosen = uuid.uuid4().hex
    _current.set(chosen)
    return chosen


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return f"[{_current.get()}] {line}" if _current.get() else line


def configure_logging(level: int = logging.INFO) -> None:
    """Log to standard error, each line with the id of what it belongs to."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
