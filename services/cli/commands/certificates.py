"""`lacuna certificate ...`: certificates of suppression."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.client import request_client
from services.cli.files import format_of, write_bytes
from services.cli.options import DATA_FOLDER, As, Data, TicketId
from services.cli.render.tables import print_sentence

app = typer.Typer(no_args_is_help=True, help="Fetch the certificate of a ticket.")


@app.command("get")
def get_certificate(
    ticket: TicketId,
    out: Annotated[
        Path, typer.Option(help="The file to write: .json, .pdf, .csv, or .zip for the bundle that an auditor checks.")
    ],
    language: Annotated[
        str | None, typer.Option(help="Of a PDF: en or de; by default the first of the ticket's languages.")
    ] = None,
    data: Data = DATA_FOLDER,
    account: As = "olivia",
) -> None:
    """Fetch the newest certificate of a ticket into a file."""
    file_format = format_of(out, ("json", "pdf", "csv", "zip"))
    kind = "bundle" if file_format == "zip" else file_format
    client = request_client(data, account)
    write_bytes(out, client.download(f"/v1/tickets/{ticket}/certificate", format=kind, language=language))
    print_sentence(f"The certificate of {ticket} is in {out}.")
