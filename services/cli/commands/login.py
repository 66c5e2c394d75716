"""`lacuna login` and `lacuna logout`: sign-in at the organisation's OpenID provider, instead of an API key."""

from dataclasses import asdict
from typing import Annotated

import typer

from services.cli import logins
from services.cli.client import ApiError, Client, request_url
from services.cli.logins import Login
from services.cli.options import DATA_FOLDER, Data
from services.cli.render.tables import console, print_sentence
from shared.errors import BadInput

SCOPE = "openid offline_access"


def login(
    issuer: Annotated[
        str | None, typer.Option(help="The issuer of the OpenID provider; the service says it where not given.")
    ] = None,
    client_id: Annotated[
        str | None, typer.Option(help="The client of the provider; the service says it where not given.")
    ] = None,
    scope: Annotated[str | None, typer.Option(help="What is asked for.")] = None,
    data: Data = DATA_FOLDER,
) -> None:
    """Sign in with your organisation's account: open the address that is printed, and type the code there."""
    from services.cli import device_flow  # noqa: PLC0415 - a tenth of a second that `lacuna --help` does not spend
    from shared.core.openid import is_secure  # noqa: PLC0415 - as above

    url = request_url(data)
    if not is_secure(url):
        raise BadInput(f"{url} is not https: whoever listens would have the token, and could name another provider.")
    told = Client(url, keep_alive=False).get("/v1/sign-in")
    issuer, client_id = issuer or told["issuer"], client_id or told["client_id"]
    if not issuer or not client_id:
        raise BadInput(f"{url} names no OpenID provider. Give --issuer and --client-id, or use an API key.")
    provider = device_flow.discover(issuer, client_id)
    device = device_flow.begin(provider, scope or told["scope"] or SCOPE)
    console.print(f"Open  {device.address}\nand type the code  {device.user_code}", markup=False, soft_wrap=True)
    if device.complete != device.address:
        console.print(f"or open  {device.complete}", markup=False, soft_wrap=True)
    console.print(f"The code is valid for {device.ends_after_s / 60:.0f} minutes. Waiting ...", markup=False)
    tokens = device_flow.wait(provider, device)
    try:
        Client(url, tokens.access, keep_alive=False).get("/v1/refits", limit=1)
    except ApiError as exc:
        if exc.http_status in (401, 403) and exc.body.get("type", "").rsplit("/", 1)[-1] != "insufficient-scope":
            device_flow.revoke(provider, tokens)
            raise
    logins.keep(url, Login(asdict(provider), asdict(tokens)))
    print_sentence(f"You are signed in at {url}. `lacuna logout` ends it.")


def logout(data: Data = DATA_FOLDER) -> None:
    """Forget the sign-in of `lacuna login`, and end it at the provider."""
    from services.cli import device_flow  # noqa: PLC0415 - as above

    url = request_url(data)
    known = logins.find(url)
    if known is None:
        print_sentence(f"Nobody is signed in at {url}.")
        return
    logins.keep(url, None)
    revoked = device_flow.revoke(device_flow.Provider(**known.provider), device_flow.Tokens(**known.tokens))
    print_sentence(
        f"You are signed out of {url}."
        if revoked
        else f"You are signed out of {url} on this machine. The provider did not confirm that it ended the sign-in."
    )
