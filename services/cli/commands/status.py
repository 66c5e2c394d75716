"""`lacuna status`."""

from services.cli.client import request_client
from services.cli.options import DATA_FOLDER, As, Data, Json
from services.cli.render.status import print_status
from services.cli.render.tables import print_answer


def status(data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False) -> None:
    """Show what is served, the alarms, the tickets by state, the replicas and the refits."""
    print_answer(request_client(data, account).get("/v1/status"), as_json, print_status)
