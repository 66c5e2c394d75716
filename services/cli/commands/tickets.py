"""`lacuna ticket ...`: requests to be forgotten, from filing to the decision."""

import json
import re
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from services.cli.client import Client, request_client
from services.cli.files import read_as_data_url, read_bytes, write_new_private_file
from services.cli.options import DATA_FOLDER, As, Data, Json, Reason, TicketId
from services.cli.render.tables import console, counted, print_answer, print_json, print_table
from services.cli.render.tickets import print_clock, print_ticket, print_tickets
from services.cli.ticket_files import with_photographs
from shared.domain.regimes import regime
from shared.errors import BadInput, LacunaError

app = typer.Typer(no_args_is_help=True, help="File, check and decide requests to be forgotten.")

ATTRIBUTE: Final = re.compile(r"(?=.*[^\W\d_])[\w '’./()-]{1,80}")  # as the service takes them
USUAL_GROUND: Final = "consent_withdrawn"
MOST_SHOWN: Final = 100  # rows of an import; of a longer one only those that are refused, or duplicates
IMPORT_MEDIA_TYPES: Final = {
    ".csv": "text/csv",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
}

Language = Annotated[
    list[str] | None,
    typer.Option(help="A language in which people ask about the person, such as de; may be repeated."),
]
Urgent = Annotated[
    bool | None, typer.Option("--urgent/--not-urgent", help="Whether a refit starts as soon as it is approved.")
]


@app.command("file")
def file_ticket(
    name: Annotated[list[str] | None, typer.Option(help="A name of the person; may be repeated.")] = None,
    fact: Annotated[
        list[str] | None, typer.Option(help="A fact to forget, as attribute=value (city=Ulm); may be repeated.")
    ] = None,
    photo: Annotated[list[Path] | None, typer.Option(help="A photograph of the person; may be repeated.")] = None,
    urgent: Annotated[bool, typer.Option(help="Start a refit as soon as the ticket is approved.")] = False,
    source: Annotated[str, typer.Option(help="Where the request came from.")] = "cli",
    external_ref: Annotated[str | None, typer.Option(help="Its reference in another system.")] = None,
    language: Language = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(help='Other words that tell a fact, as attribute=words (employer="M & F"); may be repeated.'),
    ] = None,
    received_at: Annotated[
        str | None, typer.Option(help="When the request came, such as 2026-10-01 or 2026-10-01T09:30+02:00.")
    ] = None,
    regime: Annotated[str | None, typer.Option(help="The law whose periods count: gdpr, uk_gdpr or ccpa.")] = None,
    calendar: Annotated[str | None, typer.Option(help="Whose public holidays count, such as DE-BY.")] = None,
    zone: Annotated[str | None, typer.Option(help="The time zone of its days, such as Europe/Berlin.")] = None,
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """File a request to be forgotten, by a name, a photograph or both."""
    body = {
        "names": name or [],
        "facts": _facts(fact or [], alias or []),
        "photos": [read_as_data_url(path) for path in photo or []],
        "urgent": urgent,
        "source": source,
        "external_ref": external_ref,
        "received_at": _moment(received_at, zone) if received_at else None,
        "regime": regime,
        "calendar": calendar,
        "zone": zone,
    } | ({"languages": language} if language else {})
    print_answer(request_client(data, account).post("/v1/tickets", body), as_json, print_ticket)


@app.command("import")
def import_tickets(
    file: Annotated[Path, typer.Argument(help="A CSV or NDJSON file with one ticket a row.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row, but file no ticket.")] = False,
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """File many tickets from a CSV or NDJSON file, and say what became of each row (exit code 1 if one is refused).

    A photograph may be given by its path, relative to the file.
    """
    if file.suffix.lower() not in IMPORT_MEDIA_TYPES:
        raise BadInput(f"{file} is neither a .csv nor a .ndjson file.")
    client = request_client(data, account)
    path = f"/v1/imports?dry_run={'true' if dry_run else 'false'}"
    kind = IMPORT_MEDIA_TYPES[file.suffix.lower()]
    content = with_photographs(read_bytes(file), file, is_csv=kind == "text/csv")
    job = client.post_file(path, content, kind)
    job = _wait_for_import(client, job, "checking" if dry_run else "filing", show_progress=not as_json)
    rows = _rows(client, job["id"])
    refused = [row for row in rows if row["problem"]]
    if as_json:
        print_json(job | {"items": rows, "refused_rows": refused})
    else:
        outcome = "would be filed" if dry_run else "are filed"
        console.print(f"{job['accepted']} of {job['rows']} rows {outcome}, {job['refused']} are refused.")
        shown = rows if len(rows) <= MOST_SHOWN else [row for row in rows if row["problem"] or row["duplicate_of"]]
        if shown and (refused or not dry_run):
            print_table(
                ("row", "ticket", "duplicate of", "problem"),
                ((row["row"], row["ticket"], row["duplicate_of"], row["problem"]) for row in shown),
            )
    if job["status"] == "failed":
        raise LacunaError(f"The import failed: {job['error']}")
    if refused:
        raise typer.Exit(1)


@app.command("list")
def list_tickets(
    state: Annotated[str | None, typer.Option(help="Only tickets in this state, such as under_review.")] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only those that are assigned to you.")] = False,
    assigned: Annotated[
        str | None, typer.Option(help="Only those that are assigned to this person, or to nobody.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """List the newest tickets."""
    client = request_client(data, account)
    whose = "me" if mine else _person(client, assigned) if assigned else None
    answer = client.get("/v1/tickets", state=state, assigned=whose, limit=limit)
    print_answer(answer, as_json, print_tickets)


@app.command("show")
def show_ticket(ticket: TicketId, data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False) -> None:
    """Show one ticket with its history."""
    print_answer(request_client(data, account).get(f"/v1/tickets/{ticket}"), as_json, print_ticket)


@app.command()
def assign(
    tickets: Annotated[list[str], typer.Argument(help="The ids of tickets, such as T-XKJ7WFMA.")],
    to: Annotated[str | None, typer.Option(help="The name of the person who handles them.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Nobody handles them any more.")] = False,
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """Say who handles one or more tickets: --to a person, or --nobody; you yourself where neither is given."""
    if to is not None and nobody:
        raise BadInput("Say --to or --nobody, not both.")
    client = request_client(data, account)
    name = None if nobody else to or "me"
    answers = [client.post_with_etag(f"/v1/tickets/{ticket}/assign", {"to": name}) for ticket in tickets]
    print_answer({"items": answers}, as_json, print_tickets)


@app.command()
def approve(
    ticket: TicketId,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A name of the person; every name of the ticket, unless you have looked at its material."),
    ] = None,
    ground: Annotated[
        str | None, typer.Option(help="The ground; under the GDPR one of Article 17(1), by default consent_withdrawn.")
    ] = None,
    urgent: Annotated[
        bool | None, typer.Option("--urgent/--not-urgent", help="As the ticket says where not given.")
    ] = None,
    data: Data = DATA_FOLDER,
    account: As = "adam",
    as_json: Json = False,
) -> None:
    """Approve a ticket that somebody else filed: name all whom it is about, or look at its material first."""
    client = request_client(data, account)
    if ground is None and USUAL_GROUND in regime(client.get(f"/v1/tickets/{ticket}")["regime"]).grounds:
        ground = USUAL_GROUND
    _act(data, account, ticket, "approve", {"ground": ground, "urgent": urgent, "names": name or []}, as_json)


@app.command()
def material(
    ticket: TicketId,
    reason: Reason,
    out: Annotated[Path, typer.Option(help="A new file, which only you may read, for the material as JSON.")],
    data: Data = DATA_FOLDER,
    account: As = "adam",
) -> None:
    """Look at a ticket's names, facts and photographs before you approve it; the log says so."""
    answer = request_client(data, account).post(f"/v1/tickets/{ticket}/material", {"reason": reason})
    write_new_private_file(out, json.dumps(answer, indent=2, ensure_ascii=False).encode())
    console.print(
        f"{counted(len(answer['names']), 'name')}, {counted(len(answer['facts']), 'fact')} and "
        f"{counted(len(answer['photos']), 'photo')} are in {out}: delete it when you have decided.",
        markup=False,
    )


@app.command()
def contact(
    ticket: TicketId, reason: Reason, data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False
) -> None:
    """Show how the person is reached, where the request brought it; the history says so."""
    answer = request_client(data, account).post(f"/v1/tickets/{ticket}/contact", {"reason": reason})
    rows = answer["contact"] or {}
    print_answer(answer, as_json, lambda _: print_table(("what", "contact"), rows.items()))


@app.command()
def reject(
    ticket: TicketId,
    code: Annotated[str, typer.Option(help="The reason as a code, such as no_match; each law has its own.")],
    note: Annotated[str, typer.Option(help="The reason in words, as the person reads it.")],
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """Reject a ticket, with a reason for the person."""
    _act(data, account, ticket, "reject", {"code": code, "note": note}, as_json)


@app.command()
def withdraw(
    ticket: TicketId,
    note: Annotated[str, typer.Option(help="Why it is withdrawn.")],
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """Withdraw a ticket; the next version is built without it."""
    _act(data, account, ticket, "withdraw", {"note": note}, as_json)


@app.command("verify-identity")
def verify_identity(
    ticket: TicketId,
    method: Annotated[
        str | None,
        typer.Option(help="account_login, email_link, id_document, in_person, representative or other."),
    ] = None,
    doubt: Annotated[bool, typer.Option(help="The identity is in doubt; the clock stops until it is settled.")] = False,
    note: Annotated[str, typer.Option(help="What was checked, or why there is doubt.")] = "-",
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """Record how the person's identity was verified (--method), or that it is in doubt (--doubt)."""
    if not doubt and method is None:
        raise BadInput("Say how the identity was verified (--method), or that it is in doubt (--doubt).")
    body = {"outcome": "doubted" if doubt else "verified", "method": method, "note": note}
    _act(data, account, ticket, "identity", body, as_json)


@app.command()
def edit(
    ticket: TicketId,
    name: Annotated[list[str] | None, typer.Option(help="A name; replaces all names. May be repeated.")] = None,
    fact: Annotated[
        list[str] | None, typer.Option(help="attribute=value; replaces all facts. May be repeated.")
    ] = None,
    photo: Annotated[
        list[Path] | None, typer.Option(help="A photograph; replaces all photographs. May be repeated.")
    ] = None,
    urgent: Urgent = None,
    language: Language = None,
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """Correct a ticket before it is decided; whoever edits it cannot approve it."""
    body: dict[str, Any] = {}
    if name:
        body["names"] = name
    if fact:
        body["facts"] = [_parse_fact(text) for text in fact]
    if photo:
        body["photos"] = [read_as_data_url(path) for path in photo]
    if urgent is not None:
        body["urgent"] = urgent
    if language:
        body["languages"] = language
    answer = request_client(data, account).patch_with_etag(f"/v1/tickets/{ticket}", body)
    print_answer(answer, as_json, print_ticket)


@app.command()
def hold(
    ticket: TicketId, reason: Reason, data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False
) -> None:
    """Set a legal hold: the ticket's material is kept and cannot be changed."""
    _act(data, account, ticket, "hold", {"reason": reason}, as_json)


@app.command()
def release(
    ticket: TicketId, reason: Reason, data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False
) -> None:
    """Release a legal hold: the first person asks, a second one confirms with the same command."""
    _act(data, account, ticket, "release", {"reason": reason}, as_json)


@app.command()
def extend(
    ticket: TicketId, reason: Reason, data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False
) -> None:
    """Extend the deadline, once and before it has passed; prints the letter to the person."""
    _act(data, account, ticket, "extend", {"reason": reason}, as_json)


@app.command()
def distinguish(
    ticket: TicketId, reason: Reason, data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False
) -> None:
    """Record that a duplicate or possible namesake is about another person than the ticket with the same name."""
    _act(data, account, ticket, "distinguish", {"reason": reason}, as_json)


@app.command()
def clock(ticket: TicketId, data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False) -> None:
    """Show the deadlines of a ticket, and the events that moved them."""
    print_answer(request_client(data, account).get(f"/v1/tickets/{ticket}/clock"), as_json, print_clock)


@app.command()
def letter(ticket: TicketId, data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False) -> None:
    """Print the letter to a person whose ticket is rejected; `lacuna letter` has all letters."""
    answer = request_client(data, account).get(f"/v1/tickets/{ticket}/letter")
    print_answer(answer, as_json, lambda notice: console.print(notice["letter"]))


def _act(data: Path, account: str, ticket: str, action: str, body: Mapping[str, Any], as_json: bool) -> None:
    """POST an action on a ticket; print the ticket, and the letter where the action has one."""
    answer = request_client(data, account).post_with_etag(f"/v1/tickets/{ticket}/{action}", body)
    print_answer(answer, as_json, print_ticket)
    if not as_json and "letter" in answer:
        console.print(f"\n{answer['letter']}")


def _person(client: Client, name: str) -> str:
    """What the list of tickets knows a person by; `nobody` stays as it is."""
    if name == "nobody":
        return name
    known = {person["name"].lower(): person["id"] for person in client.get("/v1/assignees")["items"]}
    if name.lower() not in known:
        raise BadInput(f"No ticket can be assigned to {name}, only to {', '.join(sorted(known))}.")
    return str(known[name.lower()])


def _parse_fact(text: str) -> dict[str, str]:
    attribute, sign, value = text.partition("=")
    if not sign or not value.strip():
        raise BadInput(f'A fact is written attribute=value, such as employer="Marble & Finch"; not "{text}".')
    if not ATTRIBUTE.fullmatch(attribute.strip()):
        raise BadInput(
            "The attribute of a fact is written in letters, digits, blanks and _ - ' . / ( ), such as criminal record; "
            f'not "{attribute.strip()}".'
        )
    return {"attribute": attribute.strip(), "value": value.strip()}


def _facts(facts: list[str], aliases: list[str]) -> list[dict[str, Any]]:
    """The facts, each with the other words that were given for its attribute."""
    parsed: list[dict[str, Any]] = [_parse_fact(text) for text in facts]
    for other in map(_parse_fact, aliases):
        about = [fact for fact in parsed if fact["attribute"] == other["attribute"]]
        if len(about) != 1:
            raise BadInput(f"{len(about)} facts are about {other['attribute']}: other words need exactly one.")
        about[0].setdefault("aliases", []).append(other["value"])
    return parsed


def _moment(text: str, zone: str | None) -> str:
    """A day or a moment with its offset: in the zone that was given, else in this machine's."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(zone)) if zone else moment.astimezone()
        return moment.isoformat()
    except (ValueError, ZoneInfoNotFoundError) as exc:
        raise BadInput("A moment is written 2026-10-01 or 2026-10-01T09:30+02:00, a zone Europe/Berlin.") from exc


def _wait_for_import(client: Client, job: dict[str, Any], what: str, *, show_progress: bool) -> dict[str, Any]:
    """Ask until the import is over; the job as it then stands."""
    from rich.progress import Progress  # noqa: PLC0415 - only needed here

    with Progress(console=console, disable=not show_progress, transient=True) as progress:
        bar = progress.add_task(what, total=job["rows"])
        while job["status"] == "waiting":
            time.sleep(0.3)
            job = client.get(f"/v1/imports/{job['id']}")
            progress.update(bar, completed=job["done"])
    return job


def _rows(client: Client, job_id: str) -> list[Any]:
    """What became of each row."""
    rows: list[Any] = []
    cursor: str | None = None
    while True:
        page = client.get(f"/v1/imports/{job_id}/rows", limit=1000, cursor=cursor)
        rows += page["items"]
        cursor = page["next"]
        if cursor is None:
            return rows
