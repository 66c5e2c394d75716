"""Lacuna certificate."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.client import request_client
from services.cli.files import _kind, _write
from services.cli.options import FOLDER, Data, Who
from services.cli.render import tables

certificate_app = typer.Typer(no_args_is_help=True, help="Certificates of suppression.")


@certificate_app.command("get")
def get_certificate(
    ticket: str,
    out: Annotated[Path, typer.Option(help="Where it goes: .json, .pdf, .csv, or .zip for the bundle.")],
    data: Data = FOLDER,
    who: Who = "olivia",
) -> None:
    """The newest certificate of a ticket."""
    kind = _kind(out, (".json", ".pdf", ".csv", ".zip"))
    format = "bundle" if kind == "zip" else kind
    _write(out, request_client(data, who).download(f"/v1/tickets/{ticket}/certificate", format=format))
    tables.console.print(f"The certificate of {ticket} is in {out}.", markup=False)
