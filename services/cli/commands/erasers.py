"""Lacuna eraser, with forward and break-glass."""

from typing import Annotated

import typer

from services.cli.client import request_client
from services.cli.options import FOLDER, As, Data, Json, _answer, _as, _said
from services.cli.render import erasers, tables
from shared.errors import BadInput

eraser_app = typer.Typer(no_args_is_help=True, help="Versions of the eraser.")


def _erasers(app: typer.Typer) -> None:
    @app.command()
    def forward(number: int, data: Data = FOLDER, who: str = _as("oscar"), json: Json = False) -> None:
        """Go back without exposing anybody: an old version's recipe with today's tickets, as a new version."""
        answer = request_client(data, who).change(f"/v1/erasers/{number}/forward", {})
        _said(
            answer,
            json,
            lambda a: tables.console.print(f"Refit {a['id']} is ordered: like version {number}, for everybody."),
        )

    @app.command("break-glass")
    def break_glass(
        number: Annotated[int | None, typer.Argument(help="The version, when asking.")] = None,
        reason: Annotated[str | None, typer.Option(help="Why people may be exposed again.")] = None,
        minutes: Annotated[int, typer.Option(help="For how long, at most a day.")] = 60,
        confirm: Annotated[str | None, typer.Option(help="The id that another admin asked for.")] = None,
        end: Annotated[str | None, typer.Option(help="The id that is ended before its time.")] = None,
        data: Data = FOLDER,
        who: str = _as("rosa"),
        json: Json = False,
    ) -> None:
        """Serve a version although it exposes somebody: one admin asks, another confirms. Alone: the ledger."""
        client = request_client(data, who)
        if confirm is not None or end is not None:
            verb, one = ("confirm", confirm) if confirm is not None else ("end", end)
            _said(client.change(f"/v1/break-glass/{one}/{verb}", {}), json, erasers.glass)
        elif number is not None:
            if reason is None:
                raise BadInput("Say why people may be exposed again (--reason).")
            body = {"reason": reason, "minutes": minutes}
            _said(client.change(f"/v1/erasers/{number}/break-glass", body), json, erasers.glass)
        else:
            _said(client.get("/v1/break-glass"), json, erasers.glasses)


@eraser_app.command("list")
def list_erasers(data: Data = FOLDER, who: str = As("oscar"), json: Json = False) -> None:
    """The newest versions."""
    _answer(request_client(data, who).get("/v1/erasers"), json, erasers.erasers)


@eraser_app.command("show")
def show_eraser(number: int, data: Data = FOLDER, who: str = As("oscar"), json: Json = False) -> None:
    """One version; with --json its signed manifest too."""
    _answer(request_client(data, who).get(f"/v1/erasers/{number}"), json, erasers.eraser)


@eraser_app.command()
def promote(number: int, data: Data = FOLDER, who: str = As("oscar"), json: Json = False) -> None:
    """Serve this version."""
    _answer(request_client(data, who).change(f"/v1/erasers/{number}/promote", {}), json, erasers.eraser)


@eraser_app.command()
def rollback(number: int, data: Data = FOLDER, who: str = As("oscar"), json: Json = False) -> None:
    """Serve an earlier version; refused where somebody would be exposed again."""
    _answer(request_client(data, who).change(f"/v1/erasers/{number}/rollback", {}), json, erasers.eraser)
