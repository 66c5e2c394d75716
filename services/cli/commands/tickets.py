"""Commands of the desk: `lacuna ticket verify-identity|edit|hold|...`, `lacuna eraser forward|break-glass|exposure`."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from services.cli.client import request_client
from services.cli.commands.erasers import _erasers
from services.cli.options import FOLDER, As, Data, Json, Officer, Reason, _answer, _as, _data_url, _said
from services.cli.render import tables, tickets
from shared.errors import BadInput, LacunaError

ticket_app = typer.Typer(no_args_is_help=True, help="Requests to be forgotten.")

KINDS = {".csv": "text/csv", ".ndjson": "application/x-ndjson", ".jsonl": "application/x-ndjson"}


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
        _said(answer, json, tickets.ticket)
        if not json and "letter" in answer:
            tables.console.print(f"\n{answer['letter']}", markup=False)

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
        _said(request_client(data, who).patch(f"/v1/tickets/{ticket}", body), json, tickets.ticket)

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
        _said(request_client(data, who).get(f"/v1/tickets/{ticket}/clock"), json, tickets.clock)

    @app.command()
    def letter(ticket: str, data: Data = FOLDER, who: str = _as("olivia"), json: Json = False) -> None:
        """What a rejected person is told (Article 12(4))."""
        answer = request_client(data, who).get(f"/v1/tickets/{ticket}/letter")
        _said(answer, json, lambda a: tables.console.print(a["letter"], markup=False))


@ticket_app.command("file")
def file_ticket(
    name: Annotated[list[str], typer.Option(help="A name of the person; may be repeated.")],
    fact: Annotated[list[str], typer.Option(help="attribute=value; may be repeated.")],
    photo: Annotated[list[Path] | None, typer.Option(help="A photograph; may be repeated.")] = None,
    urgent: Annotated[bool, typer.Option(help="Refit as soon as it is approved.")] = False,
    source: str = "cli",
    external_ref: str | None = None,
    data: Data = FOLDER,
    who: str = As("olivia"),
    json: Json = False,
) -> None:
    """File a request to be forgotten."""
    body = {
        "names": name,
        "facts": [_fact(text) for text in fact],
        "photos": [_data_url(path) for path in photo or []],
        "urgent": urgent,
        "source": source,
        "external_ref": external_ref,
    }
    _answer(request_client(data, who).post("/v1/tickets", body), json, tickets.ticket)


@ticket_app.command("list")
def list_tickets(
    state: str | None = None, limit: int = 50, data: Data = FOLDER, who: str = As("olivia"), json: Json = False
) -> None:
    """The newest tickets."""
    _answer(request_client(data, who).get("/v1/tickets", state=state, limit=limit), json, tickets.tickets)


@ticket_app.command("show")
def show_ticket(ticket: str, data: Data = FOLDER, who: str = As("olivia"), json: Json = False) -> None:
    """One ticket with its history."""
    _answer(request_client(data, who).get(f"/v1/tickets/{ticket}"), json, tickets.ticket)


@ticket_app.command()
def approve(
    ticket: str,
    ground: Annotated[str, typer.Option(help="Article 17(1): the ground.")] = "consent_withdrawn",
    urgent: Annotated[bool | None, typer.Option("--urgent/--not-urgent", help="As filed where not given.")] = None,
    data: Data = FOLDER,
    who: str = As("adam"),
    json: Json = False,
) -> None:
    """Approve a ticket that somebody else filed."""
    body = {"ground": ground, "urgent": urgent}
    _answer(request_client(data, who).change(f"/v1/tickets/{ticket}/approve", body), json, tickets.ticket)


@ticket_app.command()
def reject(
    ticket: str,
    code: Annotated[str, typer.Option(help="Why: Article 17(3) or 12.")],
    note: Annotated[str, typer.Option(help="What the person is told.")],
    data: Data = FOLDER,
    who: str = As("olivia"),
    json: Json = False,
) -> None:
    """Reject a ticket, with the reason that the person is told."""
    body = {"code": code, "note": note}
    _answer(request_client(data, who).change(f"/v1/tickets/{ticket}/reject", body), json, tickets.ticket)


@ticket_app.command()
def withdraw(
    ticket: str,
    note: Annotated[str, typer.Option(help="Why it is taken back.")],
    data: Data = FOLDER,
    who: str = As("olivia"),
    json: Json = False,
) -> None:
    """Take a ticket back; the next version is made without it."""
    _answer(request_client(data, who).change(f"/v1/tickets/{ticket}/withdraw", {"note": note}), json, tickets.ticket)


def _fact(text: str) -> dict[str, str]:
    attribute, sign, value = text.partition("=")
    if not sign or not value.strip():
        raise BadInput(f'A fact is given as attribute=value, such as employer="Marble & Finch"; not "{text}".')
    return {"attribute": attribute.strip(), "value": value.strip()}


def import_tickets(
    file: Path,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row, file none.")] = False,
    data: Data = FOLDER,
    who: Officer = "olivia",
    json: Json = False,
) -> None:
    """File many tickets from a CSV or NDJSON file; tells every row that was refused."""
    if file.suffix.lower() not in KINDS:
        raise BadInput(f"{file} is neither .csv nor .ndjson.")
    try:
        content = file.read_bytes()
    except OSError as exc:
        raise BadInput(f"{file} cannot be read: {exc.strerror}.") from exc
    client = request_client(data, who)
    path = f"/v1/imports?dry_run={'true' if dry_run else 'false'}"
    job = client.send(path, content, KINDS[file.suffix.lower()])
    with Progress(console=tables.console, disable=json, transient=True) as progress:
        bar = progress.add_task("checking" if dry_run else "filing", total=job["rows"])
        while job["status"] == "waiting":
            time.sleep(0.3)
            job = client.get(f"/v1/imports/{job['id']}")
            progress.update(bar, completed=job["done"])
    refused, cursor = [], None
    while True:
        page = client.get(f"/v1/imports/{job['id']}/rows", refused=True, limit=1000, cursor=cursor)
        refused += page["items"]
        if (cursor := page["next"]) is None:
            break
    if json:
        tables.as_json(job | {"refused_rows": refused})
    else:
        did = "would be filed" if dry_run else "are filed"
        tables.console.print(f"{job['accepted']} of {job['rows']} rows {did}, {job['refused']} are refused.")
        if refused:
            tables.rows(("row", "problem"), ((one["row"], one["problem"]) for one in refused))
    if job["status"] == "failed":
        raise LacunaError(f"The import failed: {job['error']}")
    if refused:
        raise typer.Exit(1)
