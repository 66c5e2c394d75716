"""Lacuna webhook."""

from typing import Annotated

import typer

from services.cli.client import request_client
from services.cli.options import FOLDER, Data, Json, Officer
from services.cli.render import tables
from services.cli.render.tables import _table

webhook_app = typer.Typer(no_args_is_help=True, help="Webhooks, for administrators.")


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
    tables.as_json(made) if json else tables.console.print(f"{made['secret']}  ({made['id']}; it is not shown again)")


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
    tables.console.print(request_client(data, who).change(f"/v1/webhooks/{webhook}/rotate", {})["secret"])


@webhook_app.command("test")
def try_webhook(webhook: str, data: Data = FOLDER, who: Officer = "rosa") -> None:
    """Send a message of type webhook.test."""
    tables.console.print(request_client(data, who).post(f"/v1/webhooks/{webhook}/test", {})["id"])


@webhook_app.command("disable")
def disable_webhook(webhook: str, data: Data = FOLDER, who: Officer = "rosa") -> None:
    """Send nothing more."""
    request_client(data, who).change(f"/v1/webhooks/{webhook}/disable", {})
