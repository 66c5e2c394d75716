"""`lacuna kit ...`: sealed audit kits. Two people open a ticket's kit, for a limited time, and the log records it."""

import base64
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import request_client
from services.cli.files import write_new_private_file
from services.cli.options import DATA_FOLDER, As, Data, Json, TicketId
from services.cli.render.tables import print_answer, print_items, print_sentence
from shared.errors import BadInput

app = typer.Typer(
    no_args_is_help=True,
    help="Open a ticket's sealed audit kit: an auditor asks, an approver or administrator allows it.",
)

FIELDS = ("id", "ticket", "state", "asked_by", "allowed_by", "expires_at", "openings", "reason")
AccessId = Annotated[str, typer.Argument(help="The id of the access, as `lacuna kit list` shows it.")]


@app.command()
def ask(
    ticket: TicketId,
    reason: Annotated[str, typer.Option(help="Why; it is logged.")],
    minutes: Annotated[int, typer.Option(help="For how long, at most a day.", min=1, max=1440)] = 60,
    data: Data = DATA_FOLDER,
    account: As = "ada",
    as_json: Json = False,
) -> None:
    """Ask for access to the audit kit of a ticket."""
    body = {"reason": reason, "minutes": minutes}
    print_answer(request_client(data, account).post(f"/v1/tickets/{ticket}/kit", body), as_json, _print_access)


@app.command()
def allow(access: AccessId, data: Data = DATA_FOLDER, account: As = "rosa", as_json: Json = False) -> None:
    """Allow an access that somebody else asked for."""
    print_answer(request_client(data, account).post(f"/v1/kits/{access}/allow", {}), as_json, _print_access)


@app.command()
def end(access: AccessId, data: Data = DATA_FOLDER, account: As = "rosa", as_json: Json = False) -> None:
    """Refuse an access, or end it before its time."""
    print_answer(request_client(data, account).post(f"/v1/kits/{access}/end", {}), as_json, _print_access)


@app.command("open")
def open_kit(
    access: AccessId,
    out: Annotated[Path, typer.Option(help="A new folder that only you can read; delete it when you are done.")],
    data: Data = DATA_FOLDER,
    account: As = "ada",
) -> None:
    """Write the names, facts and photographs of a kit into a folder; the log records each opening."""
    if out.exists():
        raise BadInput(f"{out} exists already; name a new folder.")
    kit = request_client(data, account).post(f"/v1/kits/{access}/open", {})
    out.mkdir(mode=0o700, parents=True)
    text = json.dumps({"names": kit["names"], "facts": kit["facts"]}, indent=1, ensure_ascii=False)
    write_new_private_file(out / "kit.json", text.encode())
    for number, photo in enumerate(kit["photos"], 1):
        write_new_private_file(out / f"{number}.png", base64.b64decode(photo.partition(",")[2]))
    print_sentence(f"The audit kit of {kit['ticket']} is in {out}. The access ends at {kit['expires_at']}.")


@app.command("list")
def list_accesses(data: Data = DATA_FOLDER, account: As = "ada", as_json: Json = False) -> None:
    """List who asked, why, who allowed it, and how often the kit was opened."""
    answer = request_client(data, account).get("/v1/kits")
    print_answer(answer, as_json, lambda accesses: print_items(accesses, FIELDS))


def _print_access(access: Any) -> None:
    print_sentence(f"Access {access['id']} to the audit kit of {access['ticket']} is {access['state']}.")
