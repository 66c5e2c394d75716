"""Starts the officer's API: `python -m services.request.server --host 0.0.0.0 --port 8600 --workers 2`."""

import argparse

import uvicorn

from shared.core.server import OPTIONS


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8600)
    parser.add_argument("--workers", type=int, default=1, help="processes that share the port")
    chosen = parser.parse_args()
    uvicorn.run(
        "services.request.app:create",
        factory=True,
        host=chosen.host,
        port=chosen.port,
        workers=chosen.workers,
        **OPTIONS,
    )


if __name__ == "__main__":
    main()
