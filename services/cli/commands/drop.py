"""`lacuna drop ...`: deletion lists of California's Delete Request and Opt-out Platform."""

import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from services.cli.client import Client, request_client
from services.cli.files import read_bytes, write_bytes
from services.cli.options import DATA_FOLDER, As, Data, Json
from services.cli.render.tables import console, counted, print_answer, print_items, print_json
from shared.errors import BadInput, LacunaError

app = typer.Typer(no_args_is_help=True, help="Match deletion lists of California's DROP with your register of people.")

MEDIA_TYPES: Final = {".zip": "application/zip", ".csv": "text/csv"}
POLL_S: Final = 0.2
FIELDS: Final = ("id", "status", "rows", "matched", "tickets", "removed", "received_at", "error", "attempts", "next_at")

DropFile = Annotated[Path, typer.Argument(help="The archive (.zip) or list (.csv) as the platform gave it.")]


@app.command("import")
def import_list(file: DropFile, data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False) -> None:
    """Match a download with the register of the control loop (LACUNA_DROP_PEOPLE); each match becomes a ticket.

    Exit code 1 where the list could not be matched, or somebody who matched has no ticket.
    """
    client = request_client(data, account)
    row = _send(client, "/v1/drop-lists", file)
    with nullcontext() if as_json else console.status("the control loop matches the list with the register ..."):
        while row["status"] == "waiting" and not row["error"]:
            time.sleep(POLL_S)
            row = client.get(f"/v1/drop-lists/{row['id']}")
    matches = client.get(f"/v1/drop-lists/{row['id']}/matches")["items"]
    if as_json:
        print_json(row | {"items": matches})
    else:
        console.print(
            f"{row['matched']} of {counted(row['rows'], 'work item')} are of {counted(row['tickets'], 'ticket')}; "
            f"{counted(row['removed'], 'request')} were taken back."
        )
        if matches:
            print_items({"items": matches}, ("item", "ticket", "status", "removed", "problem"))
    if row["status"] != "succeeded":
        raise LacunaError(f"The list was not matched: {row['error']}")
    if any(match["problem"] for match in matches):
        raise typer.Exit(1)


@app.command("list")
def list_lists(data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False) -> None:
    """List the newest downloads, whether fetched from the platform or given by hand."""
    answer = request_client(data, account).get("/v1/drop-lists")
    print_answer(answer, as_json, lambda rows: print_items(rows, FIELDS))


@app.command()
def matches(
    number: Annotated[str, typer.Argument(help="The id of a download, as `lacuna drop list` shows it.")],
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """List the work items of a download that matched, each with its ticket and its status."""
    answer = request_client(data, account).get(f"/v1/drop-lists/{number}/matches")
    fields = ("item", "ticket", "status", "reported", "removed", "problem")
    print_answer(answer, as_json, lambda found: print_items(found, fields))


@app.command()
def report(
    file: DropFile,
    out: Annotated[Path, typer.Option(help="The folder for the files.")] = Path(),
    suffix: Annotated[str, typer.Option(help="Of the names of the files, for another part: part02.")] = "",
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """Write the files that answer a download, as the platform takes them; give the same download again."""
    path = f"/v1/drop-lists/report?suffix={quote(suffix)}"
    answer = _send(request_client(data, account), path, file)
    out.mkdir(parents=True, exist_ok=True)
    for each in answer["items"]:
        if each["rows"]:
            write_bytes(out / Path(each["name"]).name, each["content"].encode())
    if as_json:
        print_json({"items": [{k: v for k, v in each.items() if k != "content"} for each in answer["items"]]})
        return
    for each in answer["items"]:
        undecided = f", {each['undecided']} are undecided and left out" if each["undecided"] else ""
        console.print(f"{each['name']}: {counted(each['rows'], 'work item')}{undecided}.", markup=False)


def _send(client: Client, path: str, file: Path) -> Any:
    if file.suffix.lower() not in MEDIA_TYPES:
        raise BadInput(f"{file} is neither a .zip nor a .csv file.")
    separator = "&" if "?" in path else "?"
    named = f"{path}{separator}name={quote(file.name)}"
    return client.post_file(named, read_bytes(file), MEDIA_TYPES[file.suffix.lower()])
