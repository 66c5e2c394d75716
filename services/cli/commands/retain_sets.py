"""`lacuna retain ...`: people and prompts of your own whose answers must stay as they are.

The file is read here and its rows are sent. JSONL has one object a line:
`{"name" or "names", "photos": [...], "facts": {...} or [...], "id"?, "split"?}` for a person, or
`{"prompt": ..., "photo"?, "id"?, "split"?}` for a prompt; photos are data URLs, or paths relative to the file. Parquet
has the columns of the reference people (shared/evaluation/reference_files.py).
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import ApiError, request_client
from services.cli.files import data_url, read_as_data_url
from services.cli.options import DATA_FOLDER, As, Data, Json
from services.cli.render.retain_sets import print_retain_report, print_retain_set, print_retain_sets
from services.cli.render.tables import console, print_answer
from shared.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Add people and prompts whose answers must stay as they are.")


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="A JSONL or parquet file.")],
    seed: Annotated[int, typer.Option(help="Seed of the split, for identities whose row names no split.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file, but add nothing.")] = False,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Leave out the rows of people who are forgotten.")
    ] = False,
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """Add a retain set and use it from the next refit on; a file that cannot be used changes nothing."""
    body = {"rows": read(file), "seed": seed, "dry_run": dry_run, "leave_out": leave_out}
    try:
        answer = request_client(data, account).post("/v1/retain-sets", body)
    except ApiError as exc:
        if "report" in exc.body and not as_json:
            print_retain_report(exc.body["report"], usable=False)
        raise
    if dry_run:
        print_answer(answer, as_json, lambda a: print_retain_report(a["report"], usable=a["usable"]))
    else:
        print_answer(answer, as_json, print_retain_set)


@app.command("list")
def list_retain_sets(data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False) -> None:
    """List the newest retain sets, and which one is in use."""
    print_answer(request_client(data, account).get("/v1/retain-sets"), as_json, print_retain_sets)


@app.command("show")
def show_retain_set(
    number: Annotated[int, typer.Argument(help="The number of a retain set.")],
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """Show how many identities a retain set has in each split; who they are is never shown."""
    print_answer(request_client(data, account).get(f"/v1/retain-sets/{number}"), as_json, print_retain_set)


@app.command()
def use(
    number: Annotated[int, typer.Argument(help="The number of a retain set; 0 for the reference people alone.")],
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """Use this retain set from the next refit on."""
    client = request_client(data, account)
    answer = client.post_with_etag(f"/v1/retain-sets/{number}/use", {}, resource="/v1/retain-sets")
    sentence = f"Retain set {number} is in use." if number else "The reference people are used alone."
    print_answer(answer, as_json, lambda _: console.print(sentence))


def read(file: Path) -> list[dict[str, Any]]:
    """The rows of `file` as the service takes them; raises BadInput that names the line that cannot be read."""
    try:
        if file.suffix == ".parquet":
            import pyarrow.parquet as pq  # noqa: PLC0415 - imports numpy: half a second

            table = pq.read_table(file)
            return _people(file, table.to_pylist())
        lines = [line for line in file.read_text().splitlines() if line.strip()]
    except (OSError, ValueError) as exc:
        raise BadInput(f"{file} cannot be read: {exc}.") from exc
    return [_row(file, number, line) for number, line in enumerate(lines, 1)]


def _row(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        if not isinstance(row, dict):
            raise ValueError("it is not an object")
    except ValueError as exc:
        raise BadInput(f"Line {number} of {file} cannot be used: {exc}.") from exc
    if "name" in row:
        row["names"] = [row.pop("name"), *row.get("names", [])]
    if "photo" in row:
        row["photos"] = [row.pop("photo"), *row.get("photos", [])]
    if isinstance(row.get("facts"), dict):
        row["facts"] = [{"attribute": attribute, "value": value} for attribute, value in row["facts"].items()]
    if isinstance(row.get("photos"), list):
        row["photos"] = [_photo(file, number, photo) for photo in row["photos"]]
    return row


def _photo(file: Path, number: int, photo: Any) -> Any:
    if not isinstance(photo, str) or photo.startswith("data:"):
        return photo
    try:
        return read_as_data_url(file.parent / photo)
    except BadInput as exc:
        raise BadInput(f"Line {number} of {file}: {exc.detail}") from exc


def _people(file: Path, table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    try:
        return [
            {
                "id": row["ID"],
                "names": list(row["lacuna_names"]),
                "photos": [data_url(row["image"]["bytes"], "image/png")],
                "facts": json.loads(row["lacuna_facts"]),
                "visible": json.loads(row.get("lacuna_visible") or "{}"),
                **({"split": row["split"]} if row.get("split") else {}),
            }
            for row in table
        ]
    except (KeyError, TypeError, ValueError) as exc:
        raise BadInput(
            f"{file} does not have the columns of the reference people: {exc} is missing or cannot be used."
        ) from exc
