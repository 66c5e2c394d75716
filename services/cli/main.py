"""`lacuna ...`: adds the command groups and turns errors into exit codes.

The commands talk to the services over HTTP and never load a model. Whatever goes wrong is one sentence on standard
error and exit code 1, with --json the problem as JSON; a wrong command line is exit code 2.
"""

import json
import logging
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from services.cli.commands import (
    api_keys,
    ask,
    audit_kits,
    audits,
    certificates,
    doctor,
    drop,
    erasers,
    key_rotation,
    letters,
    log,
    login,
    models,
    people,
    refits,
    registers,
    restores,
    retain_sets,
    stack,
    status,
    tenants,
    tickets,
    verify,
    webhooks,
)
from services.cli.render.console import PlainConsole
from shared.core.logging import LogStyle, configure_logging
from shared.errors import LacunaError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help=(
        "Lacuna makes a multimodal language model in production forget a person, without changing a weight.\n\n"
        "`lacuna demo` shows it from end to end. `lacuna up` starts everything on this machine; the other commands "
        "then talk to it over HTTP, each with the API key of the account that --as names, or with your organisation's "
        "account after `lacuna login`."
    ),
)

START, OFFICER, OPERATOR, AUDITOR, ADMIN = (
    "Start and try",
    "Requests to be forgotten (officers and approvers)",
    "Eraser versions (operators)",
    "Evidence (auditors)",
    "Administration (administrators)",
)

app.command(rich_help_panel=START)(stack.demo)
app.command(rich_help_panel=START)(stack.up)
app.add_typer(models.app, name="model", rich_help_panel=START)
app.command(rich_help_panel=START)(status.status)
app.command(rich_help_panel=START)(doctor.doctor)
app.command(rich_help_panel=START)(login.login)
app.command(rich_help_panel=START)(login.logout)
app.command(rich_help_panel=START)(ask.ask)
app.command(rich_help_panel=START)(stack.secrets)
app.add_typer(tickets.app, name="ticket", rich_help_panel=OFFICER)
app.add_typer(letters.app, name="letter", rich_help_panel=OFFICER)
app.add_typer(retain_sets.app, name="retain", rich_help_panel=OFFICER)
app.add_typer(drop.app, name="drop", rich_help_panel=OFFICER)
app.add_typer(refits.app, name="refit", rich_help_panel=OPERATOR)
app.add_typer(audits.app, name="audit", rich_help_panel=OPERATOR)
app.add_typer(erasers.app, name="eraser", rich_help_panel=OPERATOR)
app.add_typer(certificates.app, name="certificate", rich_help_panel=AUDITOR)
app.add_typer(log.app, name="log", rich_help_panel=AUDITOR)
app.add_typer(verify.app, name="verify", rich_help_panel=AUDITOR)
app.add_typer(registers.app, name="register", rich_help_panel=AUDITOR)
app.add_typer(audit_kits.app, name="kit", rich_help_panel=AUDITOR)
app.add_typer(people.app, name="person", rich_help_panel=ADMIN)
app.add_typer(people.grants, name="grant", rich_help_panel=ADMIN)
app.add_typer(api_keys.app, name="key", rich_help_panel=ADMIN)
app.add_typer(tenants.app, name="tenant", rich_help_panel=ADMIN)
app.add_typer(webhooks.app, name="webhook", rich_help_panel=ADMIN)
app.add_typer(key_rotation.app, name="key-rotation", rich_help_panel=ADMIN)
app.add_typer(key_rotation.app, name="keys", hidden=True)  # its name until `lacuna key` was taken for API keys
app.add_typer(restores.app, name="restore", rich_help_panel=ADMIN)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only needed here

        typer.echo(f"lacuna {version('lacuna')}")
        raise typer.Exit


@app.callback()
def lacuna(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The options of `lacuna` itself."""


def main() -> None:
    """Run the command line of this process."""
    configure_logging(logging.WARNING, LogStyle())
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        app()
    except LacunaError as exc:
        if "--json" in sys.argv:
            sys.stderr.write(json.dumps(_as_problem(exc), ensure_ascii=False) + "\n")
        else:
            PlainConsole(stderr=True).print(exc.detail, soft_wrap=True)
        raise SystemExit(1) from exc


def _as_problem(error: LacunaError) -> Mapping[str, Any]:
    """What went wrong, as the service said it or else in the same form (RFC 9457)."""
    body = getattr(error, "body", None)
    return body if isinstance(body, Mapping) else {"title": type(error).__name__, "detail": error.detail}


if __name__ == "__main__":
    main()
