"""`lacuna tenant ...`: the organisations that use the installation, each with its own tickets, people and erasers."""

from typing import Annotated, Any

import typer

from services.cli.client import request_client
from services.cli.options import DATA_FOLDER, As, Data, Json
from services.cli.render.tables import print_answer, print_items, print_sentence

app = typer.Typer(no_args_is_help=True, help="Add tenants: one administrator asks, another confirms.")

FIELDS = ("name", "model", "promoted", "tickets", "people", "operates", "set_up_at")
REQUEST_FIELDS = ("id", "state", "tenant", "model", "administrators", "asked_by", "confirmed_by", "asked_at")
RequestId = Annotated[str, typer.Argument(help="The id of the request, as `lacuna tenant requests` shows it.")]


@app.command("create")
def create_tenant(
    name: Annotated[str, typer.Argument(help="Small letters, digits and hyphens.")],
    administrator: Annotated[
        list[str], typer.Option("--administrator", help="The name of a first administrator; twice at least.")
    ],
    model: Annotated[
        str | None, typer.Option(help="The name under which the tenant's model is served (LACUNA_MODEL_ID).")
    ] = None,
    data: Data = DATA_FOLDER,
    account: As = "rosa",
    as_json: Json = False,
) -> None:
    """Ask to add a tenant; nothing happens until a second administrator confirms."""
    body = {"name": name, "administrators": administrator} | ({"model": model} if model else {})
    print_answer(request_client(data, account).post("/v1/tenants", body), as_json, _print_request)


@app.command("confirm")
def confirm_tenant(request: RequestId, data: Data = DATA_FOLDER, account: As = "viktor", as_json: Json = False) -> None:
    """Add the tenant that another administrator asked for; the second parts of its keys are printed this once."""
    answer = request_client(data, account).post(f"/v1/tenant-requests/{request}/confirm", {})
    print_answer(answer, as_json, _print_request)


@app.command("end")
def end_request(request: RequestId, data: Data = DATA_FOLDER, account: As = "viktor", as_json: Json = False) -> None:
    """Refuse what another administrator asked for, or take back what you asked for."""
    answer = request_client(data, account).post(f"/v1/tenant-requests/{request}/end", {})
    print_answer(answer, as_json, _print_request)


@app.command("list")
def list_tenants(data: Data = DATA_FOLDER, account: As = "rosa", as_json: Json = False) -> None:
    """List all tenants: the model that each has in use, the version that is served, and how much it has."""
    answer = request_client(data, account).get("/v1/tenants")
    print_answer(answer, as_json, lambda listed: print_items(listed, FIELDS))


@app.command("requests")
def list_requests(data: Data = DATA_FOLDER, account: As = "rosa", as_json: Json = False) -> None:
    """List the tenants that were asked for, the newest first."""
    answer = request_client(data, account).get("/v1/tenant-requests")
    print_answer(answer, as_json, lambda listed: print_items(listed, REQUEST_FIELDS))


def _print_request(request: Any) -> None:
    """One request in a sentence, and the halves of keys that this administrator is to pass on."""
    print_sentence(f"Request {request['id']} for the tenant {request['tenant']} is {request['state']}.")
    if request["state"] == "asked":
        print_sentence(f"Another administrator confirms it with `lacuna tenant confirm {request['id']}`.")
    which = "first" if request["state"] == "asked" else "second"
    for part in request.get("key_parts") or ():
        print_sentence(
            f"The {which} part of the key, shown this once, for {part['name']} alone: {part['key_part']}\n"
            "The key is the first part, a full stop, and the second part."
        )
    if request["state"] == "confirmed":
        print_sentence(f"Start its replicas with LACUNA_MODEL_ID={request['model']}.")
