"""`lacuna retain ...`: people and prompts of your own whose answers must stay as they are.

The file is read here, by the same reader as an operator's reference (shared/evaluation/people_files.py), and its rows
are sent. docs/people-format.md describes the format.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.client import ApiError, request_client
from services.cli.files import MOST_BYTES, data_url, media_type
from services.cli.options import DATA_FOLDER, As, Data, Json
from services.cli.render.retain_sets import print_retain_report, print_retain_set, print_retain_sets
from services.cli.render.tables import console, print_answer
from shared.errors import BadInput, TooLarge

MOST_ROWS: Final = 20_000  # of one request
MOST_ERRORS: Final = 20  # lines that are named; the others are counted
SPLIT_OF_REFERENCE: Final = {"retain_fit": "fit", "celebrity_fit": "fit", "celebrity_eval": "held_out"}

if TYPE_CHECKING:
    from shared.evaluation.people_files import PeopleRow

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
        if not answer["usable"]:
            raise typer.Exit(1)
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
    """The rows of `file` as the service takes them; raises BadInput that names the lines that cannot be read."""
    from shared.evaluation.people_files import read_people_rows  # noqa: PLC0415 - imports pydantic and Pillow

    errors: list[str] = []
    rows: list[dict[str, Any]] = []
    photo_bytes = 0
    for row in read_people_rows(file, lambda error: errors.append(error.detail)):
        photo_bytes += sum(map(len, row.photos))
        if len(rows) >= MOST_ROWS or photo_bytes > MOST_BYTES:
            raise TooLarge(f"{file}: a retain set has {MOST_ROWS} rows and {MOST_BYTES // 1024 // 1024} MB at most.")
        if row.kind == "ordinary":
            rows.append(_as_json(row))
        else:
            errors.append(f"{row.where}, kind: a retain set has ordinary prompts alone.")
    if errors:
        more = [f"And {len(errors) - MOST_ERRORS} more lines."] if len(errors) > MOST_ERRORS else []
        raise BadInput("\n".join([*errors[:MOST_ERRORS], *more]))
    return rows


def _as_json(row: "PeopleRow") -> dict[str, Any]:
    facts = [
        {"attribute": fact.attribute, "value": fact.value} | ({"aliases": list(fact.aliases)} if fact.aliases else {})
        for fact in row.facts
    ]
    members = {
        "id": row.id,
        "names": list(row.names),
        "photos": [data_url(photo, media_type(photo)) for photo in row.photos],
        "facts": facts,
        "prompt": row.prompt,
        "visible": dict(row.visible),
        "split": SPLIT_OF_REFERENCE.get(row.split, row.split) if row.split else None,
    }
    return {name: value for name, value in members.items() if value}
