"""`lacuna kit ...`: two people look into a ticket's sealed audit kit, for a time, on record."""

import base64
import json as encoder
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import request_client
from services.cli.render import tables
from shared.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Sealed audit kits: an auditor asks, somebody else allows.")
FOLDER = Path(".lacuna")
Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
Data = Annotated[Path, typer.Option("--data", envvar="LACUNA_DATA", help="The folder of the stack.")]


def _as(owner: str) -> Any:
    return typer.Option(owner, "--as", help="Whose key of keys.json is used.")


@app.command()
def ask(
    ticket: str,
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")],
    minutes: Annotated[int, typer.Option(help="For how long, at most a day.", min=1, max=1440)] = 60,
    data: Data = FOLDER,
    who: str = _as("ada"),
    json: Json = False,
) -> None:
    """Ask to look into the kit of a ticket."""
    _say(request_client(data, who).post(f"/v1/tickets/{ticket}/kit", {"reason": reason, "minutes": minutes}), json)


@app.command()
def allow(access: str, data: Data = FOLDER, who: str = _as("rosa"), json: Json = False) -> None:
    """Allow what somebody else asked for."""
    _say(request_client(data, who).post(f"/v1/kits/{access}/allow", {}), json)


@app.command()
def end(access: str, data: Data = FOLDER, who: str = _as("rosa"), json: Json = False) -> None:
    """Refuse it, or end it before its time."""
    _say(request_client(data, who).post(f"/v1/kits/{access}/end", {}), json)


@app.command("open")
def open_(
    access: str,
    out: Annotated[Path, typer.Option(help="A new folder, for you alone; delete it when you are done.")],
    data: Data = FOLDER,
    who: str = _as("ada"),
) -> None:
    """Write what the kit holds into a folder; this opening is logged."""
    if out.exists():
        raise BadInput(f"{out} is there already.")
    found = request_client(data, who).post(f"/v1/kits/{access}/open", {})
    out.mkdir(mode=0o700, parents=True)
    said = {"names": found["names"], "facts": found["facts"]}
    _write(out / "kit.json", encoder.dumps(said, indent=1, ensure_ascii=False).encode())
    for number, photo in enumerate(found["photos"], 1):
        _write(out / f"{number}.png", base64.b64decode(photo.partition(",")[2]))
    tables.console.print(f"The kit of {found['ticket']} is in {out}, until {found['expires_at']} yours to look at.")


@app.command("list")
def list_(data: Data = FOLDER, who: str = _as("ada"), json: Json = False) -> None:
    """Who asked, why, who allowed it, how often it was opened."""
    found = request_client(data, who).get("/v1/kits")
    columns = ("id", "ticket", "state", "asked_by", "allowed_by", "expires_at", "openings", "reason")
    tables.as_json(found) if json else tables.rows(columns, ([one[name] for name in columns] for one in found["items"]))


def _say(one: Any, json: bool) -> None:
    tables.as_json(one) if json else tables.console.print(
        f"Access {one['id']} to the kit of {one['ticket']} is {one['state']}", markup=False
    )


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
