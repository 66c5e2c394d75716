"""`lacuna ...`: the command line of officers, approvers, operators, auditors. Talks HTTP; never loads a model.

Whatever goes wrong is one sentence on standard error and exit status 1 (2 for a wrong command line).
"""

import logging

import typer
from rich.console import Console

from services.cli.commands import ask, audit_kits, key_rotation, restores, stack, status, tickets
from services.cli.commands.api_keys import key_app
from services.cli.commands.audits import audit_app
from services.cli.commands.certificates import certificate_app
from services.cli.commands.erasers import eraser_app
from services.cli.commands.log import log_app
from services.cli.commands.refits import refit_app
from services.cli.commands.registers import register_app
from services.cli.commands.retain_sets import app as retain_app
from services.cli.commands.tickets import _fact, import_tickets, ticket_app
from services.cli.commands.verify import verify_app
from services.cli.commands.webhooks import webhook_app
from services.cli.options import _data_url
from shared.errors import LacunaError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The right to be forgotten."
)

for command in (stack.up, stack.demo, stack.secrets, status.status, ask.ask):
    app.command()(command)
app.add_typer(ticket_app, name="ticket")
app.add_typer(eraser_app, name="eraser")
app.add_typer(audit_app, name="audit")
app.add_typer(refit_app, name="refit")
app.add_typer(retain_app, name="retain")

app.add_typer(key_app, name="key")
app.add_typer(key_rotation.app, name="keys")
app.add_typer(audit_kits.app, name="kit")
app.add_typer(restores.app, name="restore")
app.add_typer(webhook_app, name="webhook")
ticket_app.command("import")(import_tickets)
app.add_typer(verify_app, name="verify")
app.add_typer(log_app, name="log")
app.add_typer(certificate_app, name="certificate")
app.add_typer(register_app, name="register")

tickets.install(ticket_app, eraser_app, _fact, _data_url)


def main() -> None:
    """The command."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        app()
    except LacunaError as exc:
        Console(stderr=True, highlight=False).print(exc.detail, markup=False)
        raise SystemExit(1) from exc
