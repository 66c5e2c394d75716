"""`lacuna refit ...`: order a refit, or see how refits go."""

from typing import Annotated

import typer

from services.cli.client import request_client
from services.cli.options import DATA_FOLDER, As, Data, Json
from services.cli.render.refits import print_refit, print_refits
from services.cli.render.tables import console, print_answer
from shared.errors import BadInput

app = typer.Typer()


@app.callback(invoke_without_command=True)
def order_refit(context: typer.Context, data: Data = DATA_FOLDER, account: As = "oscar", as_json: Json = False) -> None:
    """Build a new eraser version now, with every approved ticket; or see how refits go."""
    if context.invoked_subcommand is None:
        print_answer(
            request_client(data, account).post("/v1/refits", {}),
            as_json,
            lambda refit: console.print(f"Refit {refit['id']} is ordered; follow it with `lacuna refit list`."),
        )


@app.command("list")
def list_refits(
    limit: Annotated[int, typer.Option(help="How many.")] = 20,
    data: Data = DATA_FOLDER,
    account: As = "oscar",
    as_json: Json = False,
) -> None:
    """List the newest refits, and how far they are."""
    print_answer(request_client(data, account).get("/v1/refits", limit=limit), as_json, print_refits)


@app.command("show")
def show_refit(
    refit: Annotated[str, typer.Argument(help="The first letters of its id, or `last`.")] = "last",
    data: Data = DATA_FOLDER,
    account: As = "oscar",
    as_json: Json = False,
) -> None:
    """Show one refit: how far it is, its notes, and the time of each stage."""
    refits = request_client(data, account).get("/v1/refits", limit=200)["items"]
    if not refits:
        raise BadInput("There is no refit yet.")
    matching = refits[:1] if refit == "last" else [item for item in refits if item["id"].startswith(refit)]
    if len(matching) != 1:
        raise BadInput(f"{len(matching)} of the newest refits have an id that begins with {refit}.")
    print_answer(matching[0], as_json, print_refit)
