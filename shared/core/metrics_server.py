"""Serves the metrics of a process on a port of its own: GET /metrics for Prometheus, GET /healthz for a probe.

Never on the port of a service. Whoever may ask the model about somebody, and then read whether the count of fires went
up, learns whether that person is forgotten. A check for loopback on the same port would not do: behind a proxy on the
same machine every client is on loopback. So the address is one that clients do not reach: loopback by default, and
elsewhere only with a token, whatever a network policy says.
"""

import hmac
import ipaddress
import logging
import os
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from shared.core.config import MetricsSettings
from shared.core.metrics import Group
from shared.errors import BadInput

logger = logging.getLogger(__name__)
MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"  # the client's own variable: several processes share a port
RETRY_S: Final = 5.0
TIMEOUT_S: Final = 10.0  # of a client that sends or reads nothing


def check_settings(settings: MetricsSettings) -> None:
    """Raise BadInput where the metrics would be open to others."""
    if settings.port and not settings.token and not _is_loopback(settings.host):
        raise BadInput(
            "LACUNA_METRICS_HOST is not loopback, so LACUNA_METRICS_TOKEN must be set: the metrics tell who is "
            "forgotten to whoever can also ask the model."
        )


def serve_metrics(settings: MetricsSettings, *groups: Group) -> None:
    """Serve the metrics of `groups` from a thread, where a port is set.

    Where another process has the port, as the workers of one web server do to each other, it is tried again for as long
    as this process lives: metrics never keep a process from its work. Raises BadInput where they would be open.
    """
    check_settings(settings)
    if settings.port:
        registry = _registry(groups)
        threading.Thread(target=_serve, args=(settings, registry), name="metrics", daemon=True).start()


def _registry(groups: Sequence[Group]) -> CollectorRegistry:
    registry = CollectorRegistry()
    if MULTIPROCESS in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry
    collectors: list[Collector] = [PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR]
    for collector in (*collectors, *(_Every(group.registry) for group in groups)):
        registry.register(collector)
    return registry


class _Every(Collector):
    """What another registry collects."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self):  # type: ignore[no-untyped-def]  # as annotated in the base class
        return self._registry.collect()

    def describe(self):  # type: ignore[no-untyped-def]
        """Nothing: the names are not known before everything has been registered."""
        return []


def _serve(settings: MetricsSettings, registry: CollectorRegistry) -> None:
    pause, said = threading.Event(), False
    while True:
        try:
            server = make_server(settings, registry)
        except OSError as exc:
            if not said and MULTIPROCESS not in os.environ:
                logger.warning("the metrics cannot be served on port %d yet: %s", settings.port, exc.strerror)
            said = True
            pause.wait(RETRY_S)
            continue
        with server:
            server.serve_forever()


def make_server(settings: MetricsSettings, registry: CollectorRegistry) -> ThreadingHTTPServer:
    """The server, bound and not yet serving. Raises OSError where the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        timeout = TIMEOUT_S

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/healthz":
                self._send(200, b"alive\n", "text/plain; charset=utf-8")
            elif path != "/metrics":
                self._send(404, b"There are /metrics and /healthz.\n", "text/plain; charset=utf-8")
            elif not self._allowed():
                self._send(401, b"Send the token: Authorization: Bearer ...\n", "text/plain; charset=utf-8")
            else:
                encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                self._send(200, encode(registry), content_type)

        def _allowed(self) -> bool:
            scheme, _, token = self.headers.get("Authorization", "").partition(" ")
            given = token.strip().encode("latin-1", "replace") if scheme.lower() == "bearer" else b""
            return not settings.token or hmac.compare_digest(given, settings.token.encode())

        def _send(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            if status == 401:
                self.send_header("WWW-Authenticate", "Bearer")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """A scrape is no news."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_port = False

        def handle_error(self, *_: object) -> None:
            """A client that left, or sent what is no HTTP."""

    return Server((settings.host, settings.port or 0), Handler)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
