"""`lacuna key ...`: API keys. (`lacuna key-rotation ...` is about the keys that encrypt.)"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from services.cli.client import request_client
from services.cli.commands.people import print_grant
from services.cli.options import DATA_FOLDER, As, Data, Json
from services.cli.render.tables import console, print_answer, print_items

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")

FIELDS = ("id", "owner", "roles", "scopes", "label", "expires_at", "last_used_at", "revoked_at")


@app.command("create")
def create_key(
    owner: Annotated[str, typer.Argument(help="The person whose key it is, as `lacuna person list` shows it.")],
    role: Annotated[list[str], typer.Option(help="A role of the key; may be repeated.")],
    scope: Annotated[list[str] | None, typer.Option(help="Restrict the key to this scope; may be repeated.")] = None,
    days: Annotated[
        int | None, typer.Option(help="Days until the key expires; never where not given.", min=1, max=3650)
    ] = None,
    label: Annotated[str, typer.Option(help="What the key is for.")] = "",
    data: Data = DATA_FOLDER,
    account: As = "rosa",
    as_json: Json = False,
) -> None:
    """Create a key of your own, printed this once; or ask for a key for another person, which a second person confirms.

    Each of the two administrators is then shown one part of the key, and neither knows the whole.
    """
    expires_at = (datetime.now(UTC) + timedelta(days=days)).isoformat() if days else None
    body = {"owner": owner, "roles": role, "scopes": scope or [], "expires_at": expires_at, "label": label}
    print_answer(
        request_client(data, account).post("/v1/keys", body),
        as_json,
        _print_key,
    )


@app.command("list")
def list_keys(data: Data = DATA_FOLDER, account: As = "rosa", as_json: Json = False) -> None:
    """List all keys, without their secrets."""
    answer = request_client(data, account).get("/v1/keys")
    print_answer(answer, as_json, lambda keys: print_items(keys, FIELDS))


@app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="The id of the key, as `lacuna key list` shows it.")],
    data: Data = DATA_FOLDER,
    account: As = "rosa",
    as_json: Json = False,
) -> None:
    """Revoke a key: from now on it is refused."""
    answer = request_client(data, account).post_with_etag(f"/v1/keys/{key}/revoke", {})
    print_answer(answer, as_json, lambda key: console.print(f"The key of {key['owner']} is revoked."))


def _print_key(answer: Any) -> None:
    if "key" in answer:
        console.print(f"{answer['key']}  (id {answer['id']}; the key is not shown again)")
    else:
        print_grant(answer)
