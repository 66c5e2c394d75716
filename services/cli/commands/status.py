"""`lacuna status`."""

import os
from pathlib import Path

from services.cli.client import request_client
from services.cli.options import DATA_FOLDER, As, Data, Json
from services.cli.render.status import print_processes, print_status
from services.cli.render.tables import print_answer


def status(data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False) -> None:
    """Show what is served, the alarms, the tickets by state, the replicas, refits and audits, the processes here."""
    if not as_json:
        _print_processes(data)  # first: it answers where the API does not
    print_answer(request_client(data, account).get("/v1/status"), as_json, print_status)


def _print_processes(data: Path) -> None:
    from shared.devstack.restarts import STATES_FILE, read_states  # noqa: PLC0415 - `lacuna --help` does not need it

    if not os.environ.get("LACUNA_URL"):  # else the stack is another one
        print_processes(read_states(data / STATES_FILE))
