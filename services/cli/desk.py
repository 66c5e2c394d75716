"""Commands of the desk: `lacuna ticket verify-identity|edit|hold|...`, `lacuna eraser forward|break-glass|exposure`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import show
from services.cli.client import request_client
from shared.errors import BadInput

Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
Data = Annotated[Path, typer.Option("--data", envvar="LACUNA_DATA", help="The folder of the stack.")]
Reason = Annotated[str, typer.Option(help="Why; it stays in the history.")]
FOLDER = Path(".lacuna")


def _as(owner: str) -> Any:
    return typer.Option(owner, "--as", help="Whose key of keys.json is used.")


def _said(answer: Any, json: bool, render: Callable[[Any], None]) -> None:
    (show.as_json if json else render)(answer)


def install(
    ticket: typer.Typer,
    eraser: typer.Typer,
    read_fact: Callable[[str], dict[str, str]],
    data_url: Callable[[Path], str],
) -> None:
    """Add the commands to `lacuna ticket` and `lacuna eraser`."""
    _tickets(ticket, read_fact, data_url)
    _erasers(eraser)


def _tickets(app: typer.Typer, read_fact: Callable[[str], dict[str, str]], data_url: Callable[[Path], str]) -> None:
    def change(data: Path, who: str, ticket: str, verb: str, body: Mapping[str, Any], json: bool) -> None:
        answer = request_client(data, who).change(f"/v1/tickets/{ticket}/{verb}", body)
        _said(answer, json, show.ticket)
        if not json and "letter" in answer:
            show.out.print(f"\n{answer['letter']}", markup=False)

    @app.command("verify-identity")
    def verify_identity(
        ticket: str,
        method: Annotated[
            str | None, typer.Option(help="account_login, email_link, id_document, in_person, ...")
        ] = None,
        doubt: Annotated[bool, typer.Option(help="There is doubt: the clock stops until it is settled.")] = False,
        note: Annotated[str, typer.Option(help="What was seen, or why it is in doubt.")] = "-",
        data: Data = FOLDER,
        who: str = _as("olivia"),
        json: Json = False,
    ) -> None:
        """Say that it is that person who asks (--method), or that it is in doubt (--doubt)."""
        if not doubt and method is None:
            raise BadInput("Say how the identity was verified (--method), or that it is in doubt (--doubt).")
        body = {"outcome": "doubted" if doubt else "verified", "method": method, "note": note}
        change(data, who, ticket, "identity", body, json)

    @app.command()
    def edit(
        ticket: str,
        name: Annotated[list[str] | None, typer.Option(help="Names, in place of those before.")] = None,
        fact: Annotated[list[str] | None, typer.Option(help="attribute=value, in place of those before.")] = None,
        photo: Annotated[list[Path] | None, typer.Option(help="Photographs, in place of those before.")] = None,
        urgent: Annotated[bool | None, typer.Option("--urgent/--not-urgent")] = None,
        data: Data = FOLDER,
        who: str = _as("olivia"),
        json: Json = False,
    ) -> None:
        """Correct a ticket before it is decided; whoever edits it cannot approve it."""
        body: dict[str, Any] = {}
        if name:
            body["names"] = name
        if fact:
            body["facts"] = [read_fact(text) for text in fact]
        if photo:
            body["photos"] = [data_url(path) for path in photo]
        if urgent is not None:
            body["urgent"] = urgent
        _said(request_client(data, who).patch(f"/v1/tickets/{ticket}", body), json, show.ticket)

    @app.command()
    def hold(ticket: str, reason: Reason, data: Data = FOLDER, who: str = _as("olivia"), json: Json = False) -> None:
        """Legal hold: the material is kept and not changed."""
        change(data, who, ticket, "hold", {"reason": reason}, json)

    @app.command()
    def release(ticket: str, reason: Reason, data: Data = FOLDER, who: str = _as("olivia"), json: Json = False) -> None:
        """Release a hold: the first person asks, a second one confirms."""
        change(data, who, ticket, "release", {"reason": reason}, json)

    @app.command()
    def extend(ticket: str, reason: Reason, data: Data = FOLDER, who: str = _as("olivia"), json: Json = False) -> None:
        """Take more time, once, inside the first period; prints the letter to the person."""
        change(data, who, ticket, "extend", {"reason": reason}, json)

    @app.command()
    def distinguish(
        ticket: str, reason: Reason, data: Data = FOLDER, who: str = _as("olivia"), json: Json = False
    ) -> None:
        """It is no duplicate: another person of the same name."""
        change(data, who, ticket, "distinguish", {"reason": reason}, json)

    @app.command()
    def clock(ticket: str, data: Data = FOLDER, who: str = _as("olivia"), json: Json = False) -> None:
        """What is due, and why."""
        _said(request_client(data, who).get(f"/v1/tickets/{ticket}/clock"), json, show.clock)

    @app.command()
    def letter(ticket: str, data: Data = FOLDER, who: str = _as("olivia"), json: Json = False) -> None:
        """What a rejected person is told (Article 12(4))."""
        answer = request_client(data, who).get(f"/v1/tickets/{ticket}/letter")
        _said(answer, json, lambda a: show.out.print(a["letter"], markup=False))


def _erasers(app: typer.Typer) -> None:
    @app.command()
    def forward(number: int, data: Data = FOLDER, who: str = _as("oscar"), json: Json = False) -> None:
        """Go back without exposing anybody: an old version's recipe with today's tickets, as a new version."""
        answer = request_client(data, who).change(f"/v1/erasers/{number}/forward", {})
        _said(
            answer, json, lambda a: show.out.print(f"Refit {a['id']} is ordered: like version {number}, for everybody.")
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
            _said(client.change(f"/v1/break-glass/{one}/{verb}", {}), json, show.glass)
        elif number is not None:
            if reason is None:
                raise BadInput("Say why people may be exposed again (--reason).")
            body = {"reason": reason, "minutes": minutes}
            _said(client.change(f"/v1/erasers/{number}/break-glass", body), json, show.glass)
        else:
            _said(client.get("/v1/break-glass"), json, show.glasses)
