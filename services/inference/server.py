"""Starts the inference service: `python -m services.inference.server --host 0.0.0.0 --port 8601`.

It is uvicorn with connections that are bounded (`connections.py`) and a shutdown that ends: streams under way have
GRACEFUL_S to finish, then they are told and closed.
"""

import argparse
from typing import Any, Final

import uvicorn

from services.inference.connections import BoundedConnection

GRACEFUL_S: Final = 20  # less than the 30 s that Kubernetes waits before it kills
BACKLOG: Final = 2048


def configuration(app: Any, **options: Any) -> uvicorn.Config:
    """How the service is run; `app` is an application or where to import its factory from."""
    defaults: dict[str, Any] = {
        "http": BoundedConnection,
        "ws": "none",
        "timeout_graceful_shutdown": GRACEFUL_S,
        "backlog": BACKLOG,
        "log_config": None,
        "access_log": False,
        "server_header": False,
    }
    return uvicorn.Config(app, **(defaults | options))


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8601)
    chosen = parser.parse_args()
    uvicorn.Server(
        configuration("services.inference.app:create", factory=True, host=chosen.host, port=chosen.port)
    ).run()


if __name__ == "__main__":
    main()
