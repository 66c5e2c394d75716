"""`lacuna restore ...`: two administrators accept a database that is older than what was served."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import request_client
from services.cli.render import tables

app = typer.Typer(
    no_args_is_help=True, help="Go on with an older database, knowingly: one admin asks, another confirms."
)
FOLDER = Path(".lacuna")
Json = Annotated[bool, typer.Option("--json", help="JSON instead of sentences.")]
Data = Annotated[Path, typer.Option("--data", envvar="LACUNA_DATA", help="The folder of the stack.")]
Who = Annotated[str, typer.Option("--as", help="Whose key of keys.json is used.")]


@app.command()
def ask(
    reason: Annotated[str, typer.Option(help="Why no newer backup can be had; it stays on record.")],
    data: Data = FOLDER,
    who: Who = "rosa",
    json: Json = False,
) -> None:
    """Ask; nothing happens until another admin confirms."""
    _say(request_client(data, who).post("/v1/restores", {"reason": reason}), json)


@app.command()
def confirm(acceptance: str, data: Data = FOLDER, who: Who = "viktor", json: Json = False) -> None:
    """Confirm: people erased since that backup may be exposed until they are filed anew."""
    _say(request_client(data, who).post(f"/v1/restores/{acceptance}/confirm", {}), json)


@app.command("list")
def list_(data: Data = FOLDER, who: Who = "ada") -> None:
    """All of them, and the signed mark that stands, as JSON."""
    tables.as_json(request_client(data, who).get("/v1/restores"))


def _say(one: Any, json: bool) -> None:
    if json:
        tables.as_json(one)
        return
    lost = ", ".join(f"{name} {one['mark'][name]} -> {one['present'][name]}" for name in one["mark"])
    tables.console.print(f"Restore {one['id']} is {one['state']}: {lost}", markup=False, soft_wrap=True)
