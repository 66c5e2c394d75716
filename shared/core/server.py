"""How the HTTP services are run: uvicorn with connections that are bounded (`connections.py`) and a shutdown that ends.

Requests under way have GRACEFUL_S to finish, then they are told and closed. No header of a client says where it comes
from: `client_addresses.py` believes the proxies that the operator names, and uvicorn none.
"""

from typing import Any, Final

import uvicorn

from shared.core.connections import BoundedConnection

GRACEFUL_S: Final = 20  # less than the 30 s that Kubernetes waits before it kills
BACKLOG: Final = 2048
OPTIONS: Final[dict[str, Any]] = {
    "http": BoundedConnection,
    "ws": "none",
    "timeout_graceful_shutdown": GRACEFUL_S,
    "backlog": BACKLOG,
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
}


def configuration(app: Any, **options: Any) -> uvicorn.Config:
    """How a service is run; `app` is an application or where to import its factory from."""
    return uvicorn.Config(app, **(OPTIONS | options))
