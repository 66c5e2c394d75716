"""Lacuna register."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import request_client
from services.cli.commands.log import PAGE
from services.cli.files import _kind, _write
from services.cli.options import FOLDER, Data, Who
from services.cli.render import tables

register_app = typer.Typer(no_args_is_help=True, help="Registers and figures for a regulator.")

Since = Annotated[str | None, typer.Option(help="Filed then or later: 2026-01-01T00:00:00Z.")]
Until = Annotated[str | None, typer.Option(help="Filed before.")]


@register_app.command("requests")
def register_requests(
    out: Annotated[Path, typer.Option(help="Where it goes: .csv or .json.")],
    since: Since = None,
    until: Until = None,
    data: Data = FOLDER,
    who: Who = "ada",
) -> None:
    """Every request of a period, whole."""
    client = request_client(data, who, keep=True)
    cursor: str | None = None
    pages: list[bytes] = []
    asked = {"format": _kind(out, (".csv", ".json")), "since": since, "until": until, "limit": PAGE}
    while cursor is not None or not pages:
        pages.append(client.download("/v1/registers/requests", **_given(asked | {"cursor": cursor})))
        cursor = client.seen.get("lacuna-next")
    client.close()
    if asked["format"] == "csv":
        whole = pages[0] + b"".join(page.partition(b"\r\n")[2] for page in pages[1:])
    else:
        whole = json.dumps([item for page in pages for item in json.loads(page)["items"]], indent=1).encode()
    _write(out, whole)
    tables.console.print(f"The register is in {out}.", markup=False)


@register_app.command("kpis")
def register_kpis(since: Since = None, until: Until = None, data: Data = FOLDER, who: Who = "ada") -> None:
    """The figures of a period as JSON."""
    tables.as_json(request_client(data, who).get("/v1/registers/kpis", since=since, until=until))


def _given(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}
