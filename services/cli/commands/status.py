"""Lacuna status."""

from services.cli.client import request_client
from services.cli.options import FOLDER, As, Data, Json, _answer
from services.cli.render import status as render_status


def status(data: Data = FOLDER, who: str = As("olivia"), json: Json = False) -> None:
    """The installation at a glance."""
    _answer(request_client(data, who).get("/v1/status"), json, render_status.status)
