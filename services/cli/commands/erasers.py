"""`lacuna eraser ...`: eraser versions, ways back to an earlier one, and break-glass access."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import request_client
from services.cli.files import format_of, write_bytes
from services.cli.options import DATA_FOLDER, As, Data, Json, VersionNumber
from services.cli.render.erasers import print_break_glass, print_break_glass_ledger, print_eraser, print_erasers
from services.cli.render.tables import console, print_answer, print_sentence
from shared.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="See eraser versions, promote one, or go back to an earlier one.")


@app.command("list")
def list_erasers(data: Data = DATA_FOLDER, account: As = "oscar", as_json: Json = False) -> None:
    """List the newest versions."""
    print_answer(request_client(data, account).get("/v1/erasers"), as_json, print_erasers)


@app.command("show")
def show_eraser(number: VersionNumber, data: Data = DATA_FOLDER, account: As = "oscar", as_json: Json = False) -> None:
    """Show one version; with --json its signed manifest too."""
    print_answer(request_client(data, account).get(f"/v1/erasers/{number}"), as_json, print_eraser)


@app.command()
def report(
    number: VersionNumber,
    out: Annotated[Path, typer.Option(help="The file to write: .html, .pdf, or .json for the figures alone.")],
    against: Annotated[int | None, typer.Option(help="An earlier version to compare with.")] = None,
    language: Annotated[str, typer.Option(help="Of the file: en or de.")] = "en",
    data: Data = DATA_FOLDER,
    account: As = "oscar",
) -> None:
    """Write the report of a version's audit to a file that needs nothing else to be read."""
    client = request_client(data, account)
    query = {"format": format_of(out, ("html", "pdf", "json")), "against": against, "language": language}
    content = client.download(f"/v1/erasers/{number}/report", **query)
    write_bytes(out, content)
    print_sentence(f"The report of version {number} is in {out}.")


@app.command()
def promote(number: VersionNumber, data: Data = DATA_FOLDER, account: As = "oscar", as_json: Json = False) -> None:
    """Serve this version."""
    answer = request_client(data, account).post_with_etag(f"/v1/erasers/{number}/promote", {})
    print_answer(answer, as_json, print_eraser)


@app.command()
def rollback(number: VersionNumber, data: Data = DATA_FOLDER, account: As = "oscar", as_json: Json = False) -> None:
    """Serve an earlier version; refused where that would expose somebody again."""
    answer = request_client(data, account).post_with_etag(f"/v1/erasers/{number}/rollback", {})
    print_answer(answer, as_json, print_eraser)


@app.command()
def forward(number: VersionNumber, data: Data = DATA_FOLDER, account: As = "oscar", as_json: Json = False) -> None:
    """Order a new version with an earlier version's recipe and today's tickets: a way back that exposes nobody."""
    answer = request_client(data, account).post_with_etag(f"/v1/erasers/{number}/forward", {})

    def print_order(refit: Any) -> None:
        console.print(f"Refit {refit['id']} is ordered: a version like version {number}, with today's tickets.")

    print_answer(answer, as_json, print_order)


@app.command("break-glass")
def break_glass(
    number: Annotated[int | None, typer.Argument(help="The version to serve; starts a request.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why people may be exposed again; it is logged.")] = None,
    minutes: Annotated[int, typer.Option(help="For how long, at most a day.")] = 60,
    confirm: Annotated[str | None, typer.Option(help="The id of another administrator's request to confirm.")] = None,
    end: Annotated[str | None, typer.Option(help="The id of an access to end before its time.")] = None,
    data: Data = DATA_FOLDER,
    account: As = "rosa",
    as_json: Json = False,
) -> None:
    """Serve a version although it exposes somebody: one administrator asks, a second one confirms.

    Without a version and without --confirm or --end, it lists every such access that there was.
    """
    client = request_client(data, account)
    if confirm is not None or end is not None:
        action, access = ("confirm", confirm) if confirm is not None else ("end", end)
        answer = client.post_with_etag(f"/v1/break-glass/{access}/{action}", {})
        print_answer(answer, as_json, print_break_glass)
    elif number is not None:
        if reason is None:
            raise BadInput("Say why people may be exposed again (--reason).")
        body = {"reason": reason, "minutes": minutes}
        answer = client.post_with_etag(f"/v1/erasers/{number}/break-glass", body)
        print_answer(answer, as_json, print_break_glass)
    else:
        print_answer(client.get("/v1/break-glass"), as_json, print_break_glass_ledger)
