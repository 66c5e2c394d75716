"""`lacuna ticket import`, `lacuna key ...`, `lacuna webhook ...`: what an administrator and a busy officer do."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from services.cli import show
from services.cli.client import request_client
from shared.errors import BadInput, LacunaError

FOLDER = Path(".lacuna")
Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
Data = Annotated[Path, typer.Option("--data", envvar="LACUNA_DATA", help="The folder of the stack.")]
Officer = Annotated[str, typer.Option("--as", help="Whose key of keys.json is used.")]
key_app = typer.Typer(no_args_is_help=True, help="API keys, for administrators.")
webhook_app = typer.Typer(no_args_is_help=True, help="Webhooks, for administrators.")
KINDS = {".csv": "text/csv", ".ndjson": "application/x-ndjson", ".jsonl": "application/x-ndjson"}


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
    with Progress(console=show.out, disable=json, transient=True) as progress:
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
        show.as_json(job | {"refused_rows": refused})
    else:
        did = "would be filed" if dry_run else "are filed"
        show.out.print(f"{job['accepted']} of {job['rows']} rows {did}, {job['refused']} are refused.")
        if refused:
            show.rows(("row", "problem"), ((one["row"], one["problem"]) for one in refused))
    if job["status"] == "failed":
        raise LacunaError(f"The import failed: {job['error']}")
    if refused:
        raise typer.Exit(1)


@key_app.command("create")
def create_key(
    owner: str,
    role: Annotated[list[str], typer.Option(help="A role; may be repeated.")],
    scope: Annotated[list[str] | None, typer.Option(help="Narrow to this scope; may be repeated.")] = None,
    days: Annotated[int | None, typer.Option(help="Valid for so many days.", min=1, max=3650)] = None,
    label: str = "",
    data: Data = FOLDER,
    who: Officer = "rosa",
    json: Json = False,
) -> None:
    """Make a key; it is shown this once."""
    until = (datetime.now(UTC) + timedelta(days=days)).isoformat() if days else None
    body = {"owner": owner, "roles": role, "scopes": scope or [], "expires_at": until, "label": label}
    made = request_client(data, who).post("/v1/keys", body)
    show.as_json(made) if json else show.out.print(f"{made['key']}  ({made['id']}; it is not shown again)")


@key_app.command("list")
def list_keys(data: Data = FOLDER, who: Officer = "rosa", json: Json = False) -> None:
    """All keys, without their secrets."""
    found = request_client(data, who).get("/v1/keys")
    columns = ("id", "owner", "roles", "scopes", "label", "expires_at", "last_used_at", "revoked_at")
    _table(found, columns, json)


@key_app.command("revoke")
def revoke_key(key: str, data: Data = FOLDER, who: Officer = "rosa", json: Json = False) -> None:
    """From now on refuse this key (by its id)."""
    gone = request_client(data, who).change(f"/v1/keys/{key}/revoke", {})
    show.as_json(gone) if json else show.out.print(f"The key of {gone['owner']} is revoked.")


@webhook_app.command("add")
def add_webhook(
    url: str,
    event: Annotated[list[str], typer.Option(help="ticket.<state>, or * for all; may be repeated.")],
    data: Data = FOLDER,
    who: Officer = "rosa",
    json: Json = False,
) -> None:
    """Tell this address of what happens; the signing secret is shown this once."""
    made = request_client(data, who).post("/v1/webhooks", {"url": url, "events": event})
    show.as_json(made) if json else show.out.print(f"{made['secret']}  ({made['id']}; it is not shown again)")


@webhook_app.command("list")
def list_webhooks(data: Data = FOLDER, who: Officer = "rosa", json: Json = False) -> None:
    """Who is told of what."""
    _table(request_client(data, who).get("/v1/webhooks"), ("id", "url", "events", "created_by", "disabled_at"), json)


@webhook_app.command("log")
def webhook_log(webhook: str, data: Data = FOLDER, who: Officer = "rosa", json: Json = False) -> None:
    """What became of the newest messages."""
    found = request_client(data, who).get(f"/v1/webhooks/{webhook}/deliveries")
    _table(found, ("id", "event", "state", "attempts", "status", "error", "created_at"), json)


@webhook_app.command("rotate")
def rotate_webhook(webhook: str, data: Data = FOLDER, who: Officer = "rosa") -> None:
    """A new secret; the old one signs along for a day."""
    show.out.print(request_client(data, who).change(f"/v1/webhooks/{webhook}/rotate", {})["secret"])


@webhook_app.command("test")
def try_webhook(webhook: str, data: Data = FOLDER, who: Officer = "rosa") -> None:
    """Send a message of type webhook.test."""
    show.out.print(request_client(data, who).post(f"/v1/webhooks/{webhook}/test", {})["id"])


@webhook_app.command("disable")
def disable_webhook(webhook: str, data: Data = FOLDER, who: Officer = "rosa") -> None:
    """Send nothing more."""
    request_client(data, who).change(f"/v1/webhooks/{webhook}/disable", {})


def _table(found: Any, columns: tuple[str, ...], json: bool) -> None:
    if json:
        show.as_json(found)
    else:
        show.rows(columns, ([_text(one[name]) for name in columns] for one in found["items"]))


def _text(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, list) else value
