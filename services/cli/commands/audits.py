"""`lacuna audit ...`: audits of eraser versions, and all attacks on one ticket."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import request_client
from services.cli.files import read_json_object
from services.cli.options import DATA_FOLDER, As, Data, Json, VersionNumber
from services.cli.render.erasers import print_attacks, print_audit, print_nightly_order
from services.cli.render.tables import print_answer
from shared.errors import Unavailable

app = typer.Typer(no_args_is_help=True, help="See how a version did in its audit, and attack one ticket.")
ENVIRONMENT_FILE = "audit-environment.json"  # written by shared/devstack/stack.py


@app.command("show")
def show_audit(number: VersionNumber, data: Data = DATA_FOLDER, account: As = "ada", as_json: Json = False) -> None:
    """Show the audit of one version: verdict, reasons, figures, a row for each ticket, attacks by family."""
    print_answer(request_client(data, account).get(f"/v1/erasers/{number}/audit"), as_json, print_audit)


@app.command("nightly")
def show_nightly_audit(
    order: Annotated[bool, typer.Option("--order", help="Order one now, for the version that is served.")] = False,
    data: Data = DATA_FOLDER,
    account: As = "oscar",
    as_json: Json = False,
) -> None:
    """Show the newest nightly audit: what was told of each ticket, by family, and what it had no time for."""
    client = request_client(data, account)
    if order:
        print_answer(client.post("/v1/audits/nightly", {}), as_json, print_nightly_order)
    else:
        print_answer(client.get("/v1/audits/nightly"), as_json, print_audit)


@app.command()
def attack(
    ticket: Annotated[str, typer.Option(help="The ticket's id, such as T-XKJ7WFMA.")],
    families: Annotated[str, typer.Option(help="Families of attacks, with commas between; all if left out.")] = "",
    version: Annotated[int | None, typer.Option(help="The eraser version; the served one if left out.")] = None,
    per_family: Annotated[int | None, typer.Option(help="Attacks of one family, at most.")] = None,
    data: Data = DATA_FOLDER,
    account: As = "oscar",
    as_json: Json = False,
) -> None:
    """Attack one ticket with every family of attacks. Minutes; it loads a second copy of the model on this machine.

    It runs beside the stack of --data. In a deployment, run `python -m services.audit.attack` in an audit worker.
    """
    environment = data / ENVIRONMENT_FILE
    if not environment.is_file():
        raise Unavailable(
            f"No stack of this machine is running over {data}. In a deployment, run "
            f"`python -m services.audit.attack --ticket {ticket}` where an audit worker runs."
        )
    number = _served(data, account) if version is None else version
    command = [sys.executable, "-m", "services.audit.attack", "--ticket", ticket, "--families", families]
    command += [] if number is None else ["--version", str(number)]
    command += [] if per_family is None else ["--per-family", str(per_family)]
    env = os.environ | read_json_object(environment)
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=env)
    if result.returncode:
        raise SystemExit(result.returncode)
    print_answer(json.loads(result.stdout), as_json, print_attacks)


def _served(data: Path, account: str) -> Any:
    """The number of the version that is served, where it is among the newest."""
    items = request_client(data, account).get("/v1/erasers")["items"]
    return next((item["number"] for item in items if item["promoted"]), None)
