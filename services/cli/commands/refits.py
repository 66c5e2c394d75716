"""Lacuna refit."""

from typing import Annotated

import typer

from services.cli.client import request_client
from services.cli.options import FOLDER, As, Data, Json, _answer
from services.cli.render import refits, tables
from shared.errors import BadInput

refit_app = typer.Typer(help="Rebuild the eraser now, with every approved ticket; or see how refits go.")


@refit_app.callback(invoke_without_command=True)
def refit(context: typer.Context, data: Data = FOLDER, who: str = As("oscar"), json: Json = False) -> None:
    """Rebuild the eraser now, with every approved ticket; or see how refits go."""
    if context.invoked_subcommand is None:
        answer = request_client(data, who).post("/v1/refits", {})
        _answer(
            answer,
            json,
            lambda a: tables.console.print(f"Refit {a['id']} is ordered; follow it with `lacuna refit list`."),
        )


@refit_app.command("list")
def list_refits(limit: int = 20, data: Data = FOLDER, who: str = As("oscar"), json: Json = False) -> None:
    """The newest refits, and how far they are."""
    _answer(request_client(data, who).get("/v1/refits", limit=limit), json, refits.refits)


@refit_app.command("show")
def show_refit(
    refit: Annotated[str, typer.Argument(help="The first letters of its id, or `last`.")] = "last",
    data: Data = FOLDER,
    who: str = As("oscar"),
    json: Json = False,
) -> None:
    """One refit: how far it is, what it has to say, what it took."""
    found = request_client(data, who).get("/v1/refits", limit=200)["items"]
    matching = found[:1] if refit == "last" else [one for one in found if one["id"].startswith(refit)]
    if len(matching) != 1:
        raise BadInput(f"{len(matching)} of the newest refits begin with {refit}." if found else "There is no refit.")
    _answer(matching[0], json, refits.refit)
