"""Lacuna audit."""

import typer

from services.cli.client import request_client
from services.cli.options import FOLDER, As, Data, Json, _answer
from services.cli.render import erasers

audit_app = typer.Typer(no_args_is_help=True, help="Audits of versions.")


@audit_app.command("show")
def show_audit(number: int, data: Data = FOLDER, who: str = As("ada"), json: Json = False) -> None:
    """The audit of one version."""
    _answer(request_client(data, who).get(f"/v1/erasers/{number}/audit"), json, erasers.audit)
