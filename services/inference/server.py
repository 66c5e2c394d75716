"""Starts the inference service: `python -m services.inference.server --host 0.0.0.0 --port 8601`."""

import argparse

import uvicorn

from shared.core.server import configuration


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
