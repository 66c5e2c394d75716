"""`lacuna webhook ...`: addresses that are notified of what happens to tickets."""

from typing import Annotated

import typer

from services.cli.client import request_client
from services.cli.options import DATA_FOLDER, As, Data, Json
from services.cli.render.tables import console, print_answer, print_items

app = typer.Typer(no_args_is_help=True, help="Notify other systems of what happens to tickets.")

WebhookId = Annotated[str, typer.Argument(help="The id of the webhook, as `lacuna webhook list` shows it.")]


@app.command("add")
def add_webhook(
    url: Annotated[str, typer.Argument(help="The address that receives the messages (https).")],
    event: Annotated[list[str], typer.Option(help="ticket.<state>, or * for all events; may be repeated.")],
    data: Data = DATA_FOLDER,
    account: As = "rosa",
    as_json: Json = False,
) -> None:
    """Add an address; the secret that signs its messages is printed this once."""
    print_answer(
        request_client(data, account).post("/v1/webhooks", {"url": url, "events": event}),
        as_json,
        lambda webhook: console.print(f"{webhook['secret']}  (id {webhook['id']}; the secret is not shown again)"),
    )


@app.command("list")
def list_webhooks(data: Data = DATA_FOLDER, account: As = "rosa", as_json: Json = False) -> None:
    """List the webhooks and their events."""
    answer = request_client(data, account).get("/v1/webhooks")
    fields = ("id", "url", "events", "created_by", "disabled_at")
    print_answer(answer, as_json, lambda webhooks: print_items(webhooks, fields))


@app.command("log")
def list_deliveries(webhook: WebhookId, data: Data = DATA_FOLDER, account: As = "rosa", as_json: Json = False) -> None:
    """List the newest messages to a webhook, and whether they arrived."""
    answer = request_client(data, account).get(f"/v1/webhooks/{webhook}/deliveries")
    fields = ("id", "event", "state", "attempts", "status", "error", "created_at")
    print_answer(answer, as_json, lambda deliveries: print_items(deliveries, fields))


@app.command("rotate")
def rotate_webhook(webhook: WebhookId, data: Data = DATA_FOLDER, account: As = "rosa") -> None:
    """Make a new signing secret and print it; the old one signs too for another day."""
    console.print(request_client(data, account).post_with_etag(f"/v1/webhooks/{webhook}/rotate", {})["secret"])


@app.command("test")
def send_test_message(webhook: WebhookId, data: Data = DATA_FOLDER, account: As = "rosa") -> None:
    """Send a message of type webhook.test, and print its id."""
    console.print(request_client(data, account).post(f"/v1/webhooks/{webhook}/test", {})["id"])


@app.command("disable")
def disable_webhook(webhook: WebhookId, data: Data = DATA_FOLDER, account: As = "rosa") -> None:
    """Send no more messages to a webhook."""
    request_client(data, account).post_with_etag(f"/v1/webhooks/{webhook}/disable", {})
