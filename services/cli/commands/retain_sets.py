"""`lacuna retain ...`: people and prompts of your own that must stay as they are. Reads the file here, sends rows.

JSONL, one object a line: `{"name" or "names", "photos": [...], "facts": {...} or [...], "id"?, "split"?}` or
`{"prompt": ..., "photo"?, "id"?, "split"?}`; photos are data URLs or paths beside the file. Or parquet with the columns
of the reference people (shared/evaluation/reference_files.py).
"""

import base64
import json
import mimetypes
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import ApiError, request_client
from services.cli.render import retain_sets, tables
from shared.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="People and prompts of your own that must stay as they are.")
Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
Data = Annotated[Path, typer.Option("--data", envvar="LACUNA_DATA", help="The folder of the stack.")]
As = Annotated[str, typer.Option("--as", help="Whose key of keys.json is used.")]
FOLDER = Path(".lacuna")


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="JSONL or parquet.")],
    seed: Annotated[int, typer.Option(help="Of the split of identities that state none.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come of it.")] = False,
    leave_out: Annotated[bool, typer.Option("--leave-out", help="Leave out rows of people who are forgotten.")] = False,
    data: Data = FOLDER,
    who: As = "olivia",
    as_json: Json = False,
) -> None:
    """Add a retain set and use it from the next refit on. A file that cannot be used changes nothing."""
    body = {"rows": read(file), "seed": seed, "dry_run": dry_run, "leave_out": leave_out}
    try:
        answer = request_client(data, who).post("/v1/retain-sets", body)
    except ApiError as exc:
        if "report" in exc.body and not as_json:
            retain_sets.retain_report(exc.body["report"], usable=False)
        raise
    if as_json:
        tables.as_json(answer)
    elif dry_run:
        retain_sets.retain_report(answer["report"], usable=answer["usable"])
    else:
        retain_sets.retain_set(answer)


@app.command("list")
def list_sets(data: Data = FOLDER, who: As = "olivia", as_json: Json = False) -> None:
    """The newest sets, and which is in use."""
    (tables.as_json if as_json else retain_sets.retain_sets)(request_client(data, who).get("/v1/retain-sets"))


@app.command("show")
def show_set(number: int, data: Data = FOLDER, who: As = "olivia", as_json: Json = False) -> None:
    """One set, by counts; who is in it is never shown."""
    (tables.as_json if as_json else retain_sets.retain_set)(request_client(data, who).get(f"/v1/retain-sets/{number}"))


@app.command()
def use(
    number: Annotated[int, typer.Argument(help="0 for the reference people alone.")],
    data: Data = FOLDER,
    who: As = "olivia",
    as_json: Json = False,
) -> None:
    """Use this set from the next refit on."""
    answer = request_client(data, who).change(f"/v1/retain-sets/{number}/use", {}, "/v1/retain-sets")
    if as_json:
        tables.as_json(answer)
    else:
        tables.console.print(f"Retain set {number} is in use." if number else "The reference people are used alone.")


def read(file: Path) -> list[dict[str, Any]]:
    """The rows of `file` as the service wants them; raises BadInput naming the line that cannot be read."""
    try:
        if file.suffix == ".parquet":
            import pyarrow.parquet as pq  # noqa: PLC0415 - numpy comes with it: half a second

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
            raise ValueError("it is no object")
    except ValueError as exc:
        raise BadInput(f"Line {number} of {file} is not JSON that can be used: {exc}.") from exc
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
    path = file.parent / photo
    try:
        return _data_url(path.read_bytes(), mimetypes.guess_type(path.name)[0] or "image/png")
    except OSError as exc:
        raise BadInput(f"Line {number} of {file}: the photo {photo} cannot be read: {exc.strerror}.") from exc


def _people(file: Path, table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    try:
        return [
            {
                "id": row["ID"],
                "names": list(row["lacuna_names"]),
                "photos": [_data_url(row["image"]["bytes"], "image/png")],
                "facts": json.loads(row["lacuna_facts"]),
                "visible": json.loads(row.get("lacuna_visible") or "{}"),
                **({"split": row["split"]} if row.get("split") else {}),
            }
            for row in table
        ]
    except (KeyError, TypeError, ValueError) as exc:
        raise BadInput(f"{file} does not have the columns of reference people: {exc}.") from exc


def _data_url(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
