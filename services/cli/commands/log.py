"""`lacuna log ...`: export the audit log, or its newest checkpoint.

An exported log is a folder: `leaves.ndjson` (one leaf a line, exactly the bytes that were hashed, or the hash of a leaf
of another tenant), `checkpoints/` (one signed note each) and `timestamps/` (tokens of a time-stamping authority on some
of them).
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from services.cli.client import Client, request_client
from services.cli.files import write_bytes
from services.cli.options import DATA_FOLDER, As, Data
from services.cli.render.tables import console
from shared.transparency.leaves import encode_withheld

app = typer.Typer(no_args_is_help=True, help="Export the audit log, for a check with `lacuna verify log`.")

PAGE_SIZE: Final = 1000
LEAVES, CHECKPOINTS, TIMESTAMPS = "leaves.ndjson", "checkpoints", "timestamps"


@dataclass(frozen=True)
class ExportCounts:
    """What an export wrote."""

    leaves: int
    checkpoints: int
    timestamps: int


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="The folder to write.")],
    data: Data = DATA_FOLDER,
    account: As = "ada",
) -> None:
    """Write the log into a folder, for `lacuna verify log FOLDER`."""
    counts = fetch(folder, data, account)
    console.print(f"{counts.leaves} leaves and {counts.checkpoints} checkpoints are in {folder}.")


@app.command("checkpoint")
def show_checkpoint(
    out: Annotated[Path | None, typer.Option(help="Also write it to this file, for `verify log --kept`.")] = None,
    data: Data = DATA_FOLDER,
    account: As = "ada",
) -> None:
    """Print the newest signed checkpoint. Keep some: with them you notice if the log's past is rewritten."""
    note = request_client(data, account).get("/v1/log/checkpoint")["note"]
    if out is not None:
        write_bytes(out, note.encode())
    console.print(note, soft_wrap=True, end="")


def fetch(folder: Path, data: Path, account: str) -> ExportCounts:
    """Export the log of a running stack into `folder`.

    Leaves are fetched after the checkpoints, so that every checkpoint has its leaves.
    """
    client = request_client(data, account, keep_alive=True)
    try:
        checkpoints = _fetch_checkpoints(client, folder / CHECKPOINTS)
        return ExportCounts(
            checkpoints=checkpoints,
            timestamps=_fetch_timestamps(client, folder / TIMESTAMPS),
            leaves=_fetch_leaves(client, folder / LEAVES),
        )
    finally:
        client.close()


def _fetch_checkpoints(client: Client, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for checkpoint in _items(client, "/v1/log/checkpoints", "after"):
        write_bytes(folder / f"{checkpoint['size']:012d}", checkpoint["note"].encode())
        count += 1
    stored = client.get("/v1/log/checkpoint")["stored"] if count else None
    if stored is not None:
        write_bytes(folder / "store", stored.encode())  # the copy in the object store
    return count


def _fetch_timestamps(client: Client, folder: Path) -> int:
    folder.mkdir(exist_ok=True)
    count = 0
    for timestamp in _items(client, "/v1/log/timestamps", "after"):
        write_bytes(folder / f"{timestamp['size']:012d}.tsr", base64.b64decode(timestamp["token"]))
        count += 1
    return count


def _fetch_leaves(client: Client, path: Path) -> int:
    count = 0
    with path.open("wb") as file:
        for leaf in _items(client, "/v1/log/leaves", "start"):
            file.write(_line(leaf) + b"\n")
            count += 1
    return count


def _line(leaf: Any) -> bytes:
    if leaf["line"] is None:
        return encode_withheld(base64.b64decode(leaf["leaf_hash"]))
    return str(leaf["line"]).encode()


def _items(client: Client, path: str, position_name: str) -> Iterator[Any]:
    """All items of a list; `position_name` is the parameter that says where a page begins."""
    position: int | None = 0
    while position is not None:
        page = client.get(path, limit=PAGE_SIZE, **{position_name: position})
        yield from page["items"]
        position = page["next"]
