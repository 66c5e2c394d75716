"""`lacuna audit ...`: audits of eraser versions."""

import typer

from services.cli.client import request_client
from services.cli.options import DATA_FOLDER, As, Data, Json, VersionNumber
from services.cli.render.erasers import print_audit
from services.cli.render.tables import print_answer

app = typer.Typer(no_args_is_help=True, help="See how a version did in its audit.")


@app.command("show")
def show_audit(number: VersionNumber, data: Data = DATA_FOLDER, account: As = "ada", as_json: Json = False) -> None:
    """Show the audit of one version: verdict, reasons, figures."""
    print_answer(request_client(data, account).get(f"/v1/erasers/{number}/audit"), as_json, print_audit)
