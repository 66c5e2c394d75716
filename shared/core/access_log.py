"""One line in the log and one count in the metrics for each HTTP request: method, route template, status, duration.

The path, the query, the address and the headers of a request may be personal data and are in neither.
"""

import logging
import time
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.core.metrics import HTTP_REQUESTS, HTTP_SECONDS
from shared.core.tracing import server_span

logger = logging.getLogger("lacuna.access")
QUIET: Final = ("/healthz", "/readyz")  # asked by probes all the time: logged where they fail
UNMATCHED: Final = "unmatched"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
LEFT: Final = 499  # as in nginx: the client left before the answer began


async def observed(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Call `app`, to the end of a stream, and note what it answered. The request id is bound already."""
    began, status = time.perf_counter(), LEFT

    async def noting_status(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = int(message["status"])
        await send(message)

    with server_span(dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")) as span:
        try:
            await app(scope, receive, noting_status)
        except Exception:
            status = 500 if status == LEFT else status
            raise
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            route = route_template(scope)
            span.name(f"{method} {route}", {"http.response.status_code": status})
            _note(method, route, status, time.perf_counter() - began)


def route_template(scope: Scope) -> str:
    """`/v1/tickets/{ticket_id}` for a request that a route took, else "unmatched": never the path itself."""
    template: Any = getattr(scope.get("route"), "path", None)
    return template if isinstance(template, str) else UNMATCHED


def _note(method: str, route: str, status: int, seconds: float) -> None:
    HTTP_REQUESTS.labels(method, route, str(status)).inc()
    HTTP_SECONDS.labels(method, route).observe(seconds)
    level = logging.DEBUG if route in QUIET and status < 400 else logging.INFO
    if logger.isEnabledFor(level):
        fields = {"method": method, "route": route, "status": status, "duration_ms": round(1000 * seconds, 1)}
        logger.log(level, "%s %s %d %.1f ms", *fields.values(), extra={"fields": fields})
