"""Who may read the metrics: loopback only, or whoever has the token; and a port that is taken stops no process."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from shared.core.config import MetricsSettings
from shared.core.metrics import HTTP
from shared.core.metrics_server import check_settings, make_server, serve_metrics
from shared.devstack.ports import free_ports
from shared.devstack.processes import PROJECT_ROOT
from shared.errors import BadInput

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A function that serves one counter with these settings, and returns the address."""
    running = []

    def run(**settings: str) -> str:
        registry = CollectorRegistry()
        Counter("lacuna_probe_total", "A probe.", registry=registry).inc(3)
        server = make_server(MetricsSettings(port=0, **settings), registry)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield run
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


def get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, trust_env=False, timeout=10)


def test_metrics_are_served_in_both_formats(serve: Serve) -> None:
    url = serve()
    assert "lacuna_probe_total 3.0" in get(f"{url}/metrics").text
    modern = get(f"{url}/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert modern.text.endswith("# EOF\n")
    assert modern.headers["content-type"].startswith("application/openmetrics-text")


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer", "Basic token", "Bearer täken", "token"])
def test_metrics_with_a_token_are_refused_without_it(serve: Serve, header: str | None) -> None:
    url = serve(token="token")
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    refused = httpx.get(f"{url}/metrics", headers=headers, trust_env=False)  # type: ignore[arg-type]
    assert refused.status_code == 401
    assert "lacuna_probe" not in refused.text
    assert "lacuna_probe" in get(f"{url}/metrics", Authorization="Bearer token").text


def test_probe_needs_no_token_and_tells_nothing(serve: Serve) -> None:
    url = serve(token="token")
    assert get(f"{url}/healthz").text == "alive\n"
    assert get(f"{url}/anything").status_code == 404


@pytest.mark.parametrize("sent", [b"", b"\x00\xff\r\n\r\n", b"GET /metrics", b"POST /metrics HTTP/1.1\r\n\r\n"])
def test_broken_client_does_not_stop_the_next_one(serve: Serve, sent: bytes) -> None:
    url = serve()
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as broken:
        broken.sendall(sent)
        assert "lacuna_probe_total 3.0" in get(f"{url}/metrics").text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "metrics.example.org"])  # noqa: S104
def test_open_address_without_a_token_is_refused(host: str) -> None:
    with pytest.raises(BadInput, match="LACUNA_METRICS_TOKEN must be set"):
        serve_metrics(MetricsSettings(host=host, port=9464), HTTP)
    check_settings(MetricsSettings(host=host, port=9464, token="token"))
    check_settings(MetricsSettings(host=host, port=0))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    check_settings(MetricsSettings(host=host, port=9464))


PROCESS = """
import threading
from shared.core.config import MetricsSettings
from shared.core.metrics import HTTP, HTTP_REQUESTS
from shared.core.metrics_server import serve_metrics
HTTP_REQUESTS.labels("GET", "/v1/probe", "200").inc()
serve_metrics(MetricsSettings(port=%d), HTTP)
print("up", flush=True)
threading.Event().wait(600)
"""


def test_two_processes_that_share_a_port_are_counted_together(tmp_path: Path) -> None:
    """The workers of one web server: whichever has the port tells of all of them."""
    (port,) = free_ports(1)
    env = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", PROCESS % port], env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
        deadline = threading.Event()
        for _ in range(100):
            try:
                exposed = get(f"http://127.0.0.1:{port}/metrics").text
                break
            except httpx.HTTPError:
                deadline.wait(0.1)
        assert 'lacuna_http_requests_total{method="GET",route="/v1/probe",status="200"} 2.0' in exposed
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_port_that_is_taken_stops_no_process(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        serve_metrics(MetricsSettings(port=taken.getsockname()[1]), HTTP)
        for _ in range(100):
            if "the metrics cannot be served on port" in caplog.text:
                break
            threading.Event().wait(0.05)
        assert "the metrics cannot be served on port" in caplog.text
