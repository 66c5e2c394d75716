"""`lacuna ticket import`, `lacuna key ...`, `lacuna webhook ...`: what an administrator and a busy officer do."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from services.cli.client import request_client
from services.cli.options import FOLDER, Data, Json, Officer
from services.cli.render import tables
from services.cli.render.tables import _table

key_app = typer.Typer(no_args_is_help=True, help="API keys, for administrators.")


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
    tables.as_json(made) if json else tables.console.print(f"{made['key']}  ({made['id']}; it is not shown again)")


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
    tables.as_json(gone) if json else tables.console.print(f"The key of {gone['owner']} is revoked.")
