"""Lacuna log."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import Client, request_client
from services.cli.files import _write
from services.cli.options import FOLDER, Data, Who
from services.cli.render import tables

log_app = typer.Typer(no_args_is_help=True, help="The audit log.")

PAGE = 1000
LEAVES, CHECKPOINTS, STAMPS = "leaves.ndjson", "checkpoints", "timestamps"


@log_app.command("export")
def export(folder: Path, data: Data = FOLDER, who: Who = "ada") -> None:
    """Write the log into a folder, for `lacuna verify log FOLDER`."""
    leaves, checkpoints = fetch(folder, data, who)
    tables.console.print(f"{leaves} leaves and {checkpoints} checkpoints are in {folder}.")


@log_app.command("checkpoint")
def show_checkpoint(
    out: Annotated[Path | None, typer.Option(help="Keep it in this file, for `verify log --kept`.")] = None,
    data: Data = FOLDER,
    who: Who = "ada",
) -> None:
    """The newest signed checkpoint. Keep some: they show whether history is rewritten later."""
    note = request_client(data, who).get("/v1/log/checkpoint")["note"]
    if out is not None:
        _write(out, note.encode())
    tables.console.print(note, markup=False, soft_wrap=True, end="")


def fetch(folder: Path, data: Path, who: str) -> tuple[int, int]:
    """Export the log of a running stack into `folder`: numbers of leaves and of checkpoints.

    Leaves are fetched after the checkpoints, so that every checkpoint has its leaves.
    """
    client = request_client(data, who, keep=True)
    try:
        return _fetch(client, folder)
    finally:
        client.close()


def _fetch(client: Client, folder: Path) -> tuple[int, int]:
    (folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    checkpoints = 0
    for one in _pages(client, "/v1/log/checkpoints", "after"):
        _write(folder / CHECKPOINTS / f"{one['size']:012d}", one["note"].encode())
        checkpoints += 1
    stored = client.get("/v1/log/checkpoint")["stored"] if checkpoints else None
    if stored is not None:
        _write(folder / CHECKPOINTS / "store", stored.encode())
    (folder / STAMPS).mkdir(exist_ok=True)
    for one in _pages(client, "/v1/log/timestamps", "after"):
        _write(folder / STAMPS / f"{one['size']:012d}.tsr", base64.b64decode(one["token"]))
    leaves = 0
    with (folder / LEAVES).open("wb") as file:
        for one in _pages(client, "/v1/log/leaves", "start"):
            file.write(one["line"].encode() + b"\n")
            leaves += 1
    return leaves, checkpoints


def _pages(client: Client, path: str, name: str) -> Iterator[Any]:
    place: int | None = 0
    while place is not None:
        page = client.get(path, limit=PAGE, **{name: place})
        yield from page["items"]
        place = page["next"]
