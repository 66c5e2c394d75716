"""`lacuna register ...`: registers and figures for a regulator."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from services.cli.client import request_client
from services.cli.files import format_of, write_bytes
from services.cli.options import DATA_FOLDER, As, Data
from services.cli.render.tables import print_json, print_sentence

app = typer.Typer(no_args_is_help=True, help="Write the register of requests, or its figures, for a regulator.")

PAGE_SIZE: Final = 1000

Since = Annotated[str | None, typer.Option(help="Only requests filed at this time or later: 2026-01-01T00:00:00Z.")]
Until = Annotated[str | None, typer.Option(help="Only requests filed before this time.")]


@app.command("requests")
def export_requests(
    out: Annotated[Path, typer.Option(help="The file to write: .csv or .json.")],
    since: Since = None,
    until: Until = None,
    data: Data = DATA_FOLDER,
    account: As = "ada",
) -> None:
    """Write every request of a period to a file."""
    client = request_client(data, account, keep_alive=True)
    query: dict[str, Any] = {
        "format": format_of(out, ("csv", "json")),
        "since": since,
        "until": until,
        "limit": PAGE_SIZE,
    }
    cursor: str | None = None
    pages: list[bytes] = []
    while cursor is not None or not pages:
        pages.append(client.download("/v1/registers/requests", **query, cursor=cursor))
        cursor = client.last_headers.get("lacuna-next")
    client.close()
    if query["format"] == "csv":
        content = pages[0] + b"".join(page.partition(b"\r\n")[2] for page in pages[1:])  # one line of column names
    else:
        content = json.dumps([item for page in pages for item in json.loads(page)["items"]], indent=1).encode()
    write_bytes(out, content)
    print_sentence(f"The register is in {out}.")


@app.command("kpis")
def show_kpis(since: Since = None, until: Until = None, data: Data = DATA_FOLDER, account: As = "ada") -> None:
    """Print the figures of a period as JSON: how many requests, how long they took, how many were late."""
    print_json(request_client(data, account).get("/v1/registers/kpis", since=since, until=until))
