"""`lacuna person ...` and `lacuna grant ...`: who works with Lacuna, and what two administrators give them."""

from typing import Annotated, Any

import typer

from services.cli.client import Client, request_client
from services.cli.options import DATA_FOLDER, As, Data, Json
from services.cli.render.tables import print_answer, print_items, print_sentence
from shared.errors import NotFound

app = typer.Typer(
    no_args_is_help=True, help="Add people and give them roles: one administrator asks, another confirms."
)
grants = typer.Typer(no_args_is_help=True, help="Confirm or refuse what another administrator asked to give.")

FIELDS = ("id", "name", "roles", "disabled_at")
GRANT_FIELDS = ("id", "kind", "state", "name", "roles", "asked_by", "confirmed_by", "asked_at")
Name = Annotated[str, typer.Argument(help="The name of the person, as `lacuna person list` shows it.")]
Roles = Annotated[list[str], typer.Option("--role", help="A role; may be repeated.")]
GrantId = Annotated[str, typer.Argument(help="The id of the grant, as `lacuna grant list` shows it.")]


@app.command("add")
def add_person(
    name: Annotated[str, typer.Argument(help="What history and log call the person; kept in lower case.")],
    role: Roles,
    issuer: Annotated[str | None, typer.Option(help="The OpenID provider of the person's tokens.")] = None,
    subject: Annotated[str | None, typer.Option(help="The claim `sub` of the person's tokens.")] = None,
    data: Data = DATA_FOLDER,
    account: As = "rosa",
    as_json: Json = False,
) -> None:
    """Ask to add a person; nothing happens until a second administrator confirms."""
    body: dict[str, Any] = {"name": name, "roles": role}
    if issuer is not None or subject is not None:
        body["subject"] = {"issuer": issuer, "subject": subject}
    print_answer(request_client(data, account).post("/v1/people", body), as_json, print_grant)


@app.command("list")
def list_people(data: Data = DATA_FOLDER, account: As = "rosa", as_json: Json = False) -> None:
    """List all people, the disabled ones too."""
    print_answer(request_client(data, account).get("/v1/people"), as_json, lambda answer: print_items(answer, FIELDS))


@app.command("roles")
def give_roles(name: Name, role: Roles, data: Data = DATA_FOLDER, account: As = "rosa", as_json: Json = False) -> None:
    """Ask to give a person these roles in place of the present ones; a second administrator confirms."""
    client = request_client(data, account)
    answer = client.post(f"/v1/people/{_find(client, name)}/roles", {"roles": role})
    print_answer(answer, as_json, print_grant)


@app.command("subject")
def give_subject(
    name: Name,
    issuer: Annotated[str, typer.Option(help="The OpenID provider of the person's tokens.")],
    subject: Annotated[str, typer.Option(help="The claim `sub` of the person's tokens.")],
    data: Data = DATA_FOLDER,
    account: As = "rosa",
    as_json: Json = False,
) -> None:
    """Ask to let a person in with an account at an OpenID provider; a second administrator confirms."""
    client = request_client(data, account)
    body = {"issuer": issuer, "subject": subject}
    print_answer(client.post(f"/v1/people/{_find(client, name)}/subjects", body), as_json, print_grant)


@app.command("disable")
def disable_person(name: Name, data: Data = DATA_FOLDER, account: As = "rosa", as_json: Json = False) -> None:
    """Refuse all keys and tokens of a person from now on."""
    client = request_client(data, account)
    answer = client.post_with_etag(f"/v1/people/{_find(client, name)}/disable", {})
    print_answer(answer, as_json, lambda person: print_sentence(f"{person['name']} is disabled."))


@grants.command("list")
def list_grants(data: Data = DATA_FOLDER, account: As = "rosa", as_json: Json = False) -> None:
    """List what was asked for, the newest first."""
    answer = request_client(data, account).get("/v1/grants")
    print_answer(answer, as_json, lambda listed: print_items(listed, GRANT_FIELDS))


@grants.command("confirm")
def confirm_grant(grant: GrantId, data: Data = DATA_FOLDER, account: As = "viktor", as_json: Json = False) -> None:
    """Confirm what another administrator asked for; of a key, the second part is printed this once."""
    print_answer(request_client(data, account).post(f"/v1/grants/{grant}/confirm", {}), as_json, print_grant)


@grants.command("end")
def end_grant(grant: GrantId, data: Data = DATA_FOLDER, account: As = "viktor", as_json: Json = False) -> None:
    """Refuse what another administrator asked for, or take back what you asked for."""
    print_answer(request_client(data, account).post(f"/v1/grants/{grant}/end", {}), as_json, print_grant)


def print_grant(grant: Any) -> None:
    """One grant in a sentence; the part of a key that this administrator is to give to the person."""
    print_sentence(f"Grant {grant['id']} ({grant['kind']} for {grant['name']}) is {grant['state']}.")
    if grant["state"] == "asked":
        print_sentence(f"Another administrator confirms it with `lacuna grant confirm {grant['id']}`.")
    if grant.get("key_part"):
        which = "first" if grant["state"] == "asked" else "second"
        print_sentence(
            f"The {which} part of the key, shown this once, for {grant['name']} alone: {grant['key_part']}\n"
            "The key is the first part, a full stop, and the second part."
        )


def _find(client: Client, name: str) -> str:
    for person in client.get("/v1/people")["items"]:
        if person["name"] == name.casefold():
            return str(person["id"])
    raise NotFound(f"There is nobody called {name}.")
