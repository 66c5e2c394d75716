"""`lacuna restore ...`: two administrators accept a database that is older than what was served."""

from typing import Annotated, Any

import typer

from services.cli.client import request_client
from services.cli.options import DATA_FOLDER, As, Data, Json
from services.cli.render.tables import print_answer, print_json, print_sentence

app = typer.Typer(
    no_args_is_help=True,
    help="Accept a database that is older than what was served: one administrator asks, a second one confirms.",
)


@app.command()
def ask(
    reason: Annotated[str, typer.Option(help="Why there is no newer backup; it is logged.")],
    tenant: Annotated[str | None, typer.Option(help="For whose model; by default the operating tenant's.")] = None,
    data: Data = DATA_FOLDER,
    account: As = "rosa",
    as_json: Json = False,
) -> None:
    """Ask for the older database to be accepted; nothing happens until a second administrator confirms."""
    body = {"reason": reason} | ({"tenant": tenant} if tenant else {})
    print_answer(request_client(data, account).post("/v1/restores", body), as_json, _print_acceptance)


@app.command()
def confirm(
    acceptance: Annotated[str, typer.Argument(help="The id of the request, as `lacuna restore list` shows it.")],
    data: Data = DATA_FOLDER,
    account: As = "viktor",
    as_json: Json = False,
) -> None:
    """Confirm; people erased since that backup may be exposed until their tickets are filed again."""
    answer = request_client(data, account).post(f"/v1/restores/{acceptance}/confirm", {})
    print_answer(answer, as_json, _print_acceptance)


@app.command("list")
def list_acceptances(data: Data = DATA_FOLDER, account: As = "ada") -> None:
    """Print every request and the signed high-water mark, as JSON."""
    print_json(request_client(data, account).get("/v1/restores"))


def _print_acceptance(acceptance: Any) -> None:
    mark, present = acceptance["mark"], acceptance["present"]
    lost = ", ".join(f"{name} {mark[name]} -> {present[name]}" for name in mark)
    print_sentence(f"Restore {acceptance['id']} is {acceptance['state']}: {lost}")
