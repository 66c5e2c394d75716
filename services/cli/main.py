"""`lacuna ...`: the command line of officers, approvers, operators, auditors. Talks HTTP; never loads a model.

Whatever goes wrong is one sentence on standard error and exit status 1 (2 for a wrong command line).
"""

import base64
import logging
import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from services.cli import desk, show
from services.cli import keys as keys_commands
from services.cli import kits as kit_commands
from services.cli import restore as restore_commands
from services.cli.client import inference_client, request_client
from services.cli.evidence import certificate_app, log_app, register_app, verify_app
from services.cli.office import import_tickets, key_app, webhook_app
from services.cli.retain import app as retain_app
from shared.errors import BadInput, LacunaError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The right to be forgotten."
)
ticket_app = typer.Typer(no_args_is_help=True, help="Requests to be forgotten.")
eraser_app = typer.Typer(no_args_is_help=True, help="Versions of the eraser.")
refit_app = typer.Typer(help="Rebuild the eraser now, with every approved ticket; or see how refits go.")
audit_app = typer.Typer(no_args_is_help=True, help="Audits of versions.")
app.add_typer(ticket_app, name="ticket")
app.add_typer(eraser_app, name="eraser")
app.add_typer(audit_app, name="audit")
app.add_typer(refit_app, name="refit")
app.add_typer(retain_app, name="retain")


app.add_typer(key_app, name="key")
app.add_typer(keys_commands.app, name="keys")
app.add_typer(kit_commands.app, name="kit")
app.add_typer(restore_commands.app, name="restore")
app.add_typer(webhook_app, name="webhook")
ticket_app.command("import")(import_tickets)
app.add_typer(verify_app, name="verify")
app.add_typer(log_app, name="log")
app.add_typer(certificate_app, name="certificate")
app.add_typer(register_app, name="register")

Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
Data = Annotated[Path, typer.Option("--data", envvar="LACUNA_DATA", help="The folder of the stack.")]
FOLDER = Path(".lacuna")


def As(owner: str) -> Any:
    """Whose key is used, unless LACUNA_KEY is set."""
    return typer.Option(owner, "--as", help="Whose key of keys.json is used.")


def _answer(answer: Any, json: bool, render: Callable[[Any], None]) -> None:
    (show.as_json if json else render)(answer)


@app.command()
def up(data: Data = FOLDER) -> None:
    """Start everything on this machine and keep it running."""
    from services.cli.up import up as run_up  # noqa: PLC0415 - the parts of a stack: two thirds of a second
    from shared.config import load_settings  # noqa: PLC0415 - a quarter of a second

    run_up(data, load_settings())


@app.command()
def demo(
    json: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    data: Annotated[Path | None, typer.Option(help="The folder of the stack; a fresh one by default.")] = None,
    page: Annotated[Path, typer.Option(help="Where the page with the pictures goes.")] = Path("build/demo.html"),
) -> None:
    """Forget one person, and show it."""
    from services.cli.demo import demo as run_demo  # noqa: PLC0415 - scorers and pictures: more than a second

    run_demo(json, data, page)


@app.command()
def secrets(folder: Path = Path("k8s/base/secrets")) -> None:
    """Draw the secrets of a deployment, once: an env file for each container, keys.json for people."""
    from services.cli.secrets import write_secrets  # noqa: PLC0415 - likewise

    files = write_secrets(folder)
    show.out.print(f"{len(files)} env files and keys.json are in {folder}; nobody else may read them.")


@app.command()
def status(data: Data = FOLDER, who: str = As("olivia"), json: Json = False) -> None:
    """The installation at a glance."""
    _answer(request_client(data, who).get("/v1/status"), json, show.status)


@app.command()
def ask(
    question: str,
    photo: Annotated[Path | None, typer.Option(help="A picture that the question is about.")] = None,
    max_tokens: int = 32,
    data: Data = FOLDER,
    who: str = As("casey"),
    json: Json = False,
) -> None:
    """Ask the served model."""
    content: list[dict[str, Any]] = [{"type": "text", "text": question}]
    if photo is not None:
        content.insert(0, {"type": "image_url", "image_url": {"url": _data_url(photo)}})
    client = inference_client(data, who)
    model = client.get("/v1/models")["data"][0]["id"]
    body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": max_tokens}
    answer = client.post("/v1/chat/completions", body)

    def said(reply: Any) -> None:
        show.out.print(reply["choices"][0]["message"]["content"], markup=False)
        show.out.print(reply["system_fingerprint"], style="dim")

    _answer(answer, json, said)


@refit_app.callback(invoke_without_command=True)
def refit(context: typer.Context, data: Data = FOLDER, who: str = As("oscar"), json: Json = False) -> None:
    """Rebuild the eraser now, with every approved ticket; or see how refits go."""
    if context.invoked_subcommand is None:
        answer = request_client(data, who).post("/v1/refits", {})
        _answer(
            answer, json, lambda a: show.out.print(f"Refit {a['id']} is ordered; follow it with `lacuna refit list`.")
        )


@refit_app.command("list")
def list_refits(limit: int = 20, data: Data = FOLDER, who: str = As("oscar"), json: Json = False) -> None:
    """The newest refits, and how far they are."""
    _answer(request_client(data, who).get("/v1/refits", limit=limit), json, show.refits)


@refit_app.command("show")
def show_refit(
    refit: Annotated[str, typer.Argument(help="The first letters of its id, or `last`.")] = "last",
    data: Data = FOLDER,
    who: str = As("oscar"),
    json: Json = False,
) -> None:
    """One refit: how far it is, what it has to say, what it took."""
    found = request_client(data, who).get("/v1/refits", limit=200)["items"]
    matching = found[:1] if refit == "last" else [one for one in found if one["id"].startswith(refit)]
    if len(matching) != 1:
        raise BadInput(f"{len(matching)} of the newest refits begin with {refit}." if found else "There is no refit.")
    _answer(matching[0], json, show.refit)


@ticket_app.command("file")
def file_ticket(
    name: Annotated[list[str], typer.Option(help="A name of the person; may be repeated.")],
    fact: Annotated[list[str], typer.Option(help="attribute=value; may be repeated.")],
    photo: Annotated[list[Path] | None, typer.Option(help="A photograph; may be repeated.")] = None,
    urgent: Annotated[bool, typer.Option(help="Refit as soon as it is approved.")] = False,
    source: str = "cli",
    external_ref: str | None = None,
    data: Data = FOLDER,
    who: str = As("olivia"),
    json: Json = False,
) -> None:
    """File a request to be forgotten."""
    body = {
        "names": name,
        "facts": [_fact(text) for text in fact],
        "photos": [_data_url(path) for path in photo or []],
        "urgent": urgent,
        "source": source,
        "external_ref": external_ref,
    }
    _answer(request_client(data, who).post("/v1/tickets", body), json, show.ticket)


@ticket_app.command("list")
def list_tickets(
    state: str | None = None, limit: int = 50, data: Data = FOLDER, who: str = As("olivia"), json: Json = False
) -> None:
    """The newest tickets."""
    _answer(request_client(data, who).get("/v1/tickets", state=state, limit=limit), json, show.tickets)


@ticket_app.command("show")
def show_ticket(ticket: str, data: Data = FOLDER, who: str = As("olivia"), json: Json = False) -> None:
    """One ticket with its history."""
    _answer(request_client(data, who).get(f"/v1/tickets/{ticket}"), json, show.ticket)


@ticket_app.command()
def approve(
    ticket: str,
    ground: Annotated[str, typer.Option(help="Article 17(1): the ground.")] = "consent_withdrawn",
    urgent: Annotated[bool | None, typer.Option("--urgent/--not-urgent", help="As filed where not given.")] = None,
    data: Data = FOLDER,
    who: str = As("adam"),
    json: Json = False,
) -> None:
    """Approve a ticket that somebody else filed."""
    body = {"ground": ground, "urgent": urgent}
    _answer(request_client(data, who).change(f"/v1/tickets/{ticket}/approve", body), json, show.ticket)


@ticket_app.command()
def reject(
    ticket: str,
    code: Annotated[str, typer.Option(help="Why: Article 17(3) or 12.")],
    note: Annotated[str, typer.Option(help="What the person is told.")],
    data: Data = FOLDER,
    who: str = As("olivia"),
    json: Json = False,
) -> None:
    """Reject a ticket, with the reason that the person is told."""
    body = {"code": code, "note": note}
    _answer(request_client(data, who).change(f"/v1/tickets/{ticket}/reject", body), json, show.ticket)


@ticket_app.command()
def withdraw(
    ticket: str,
    note: Annotated[str, typer.Option(help="Why it is taken back.")],
    data: Data = FOLDER,
    who: str = As("olivia"),
    json: Json = False,
) -> None:
    """Take a ticket back; the next version is made without it."""
    _answer(request_client(data, who).change(f"/v1/tickets/{ticket}/withdraw", {"note": note}), json, show.ticket)


@eraser_app.command("list")
def list_erasers(data: Data = FOLDER, who: str = As("oscar"), json: Json = False) -> None:
    """The newest versions."""
    _answer(request_client(data, who).get("/v1/erasers"), json, show.erasers)


@eraser_app.command("show")
def show_eraser(number: int, data: Data = FOLDER, who: str = As("oscar"), json: Json = False) -> None:
    """One version; with --json its signed manifest too."""
    _answer(request_client(data, who).get(f"/v1/erasers/{number}"), json, show.eraser)


@eraser_app.command()
def promote(number: int, data: Data = FOLDER, who: str = As("oscar"), json: Json = False) -> None:
    """Serve this version."""
    _answer(request_client(data, who).change(f"/v1/erasers/{number}/promote", {}), json, show.eraser)


@eraser_app.command()
def rollback(number: int, data: Data = FOLDER, who: str = As("oscar"), json: Json = False) -> None:
    """Serve an earlier version; refused where somebody would be exposed again."""
    _answer(request_client(data, who).change(f"/v1/erasers/{number}/rollback", {}), json, show.eraser)


@audit_app.command("show")
def show_audit(number: int, data: Data = FOLDER, who: str = As("ada"), json: Json = False) -> None:
    """The audit of one version."""
    _answer(request_client(data, who).get(f"/v1/erasers/{number}/audit"), json, show.audit)


def _fact(text: str) -> dict[str, str]:
    attribute, sign, value = text.partition("=")
    if not sign or not value.strip():
        raise BadInput(f'A fact is given as attribute=value, such as employer="Marble & Finch"; not "{text}".')
    return {"attribute": attribute.strip(), "value": value.strip()}


def _data_url(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise BadInput(f"{path} cannot be read: {exc.strerror}.") from exc
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


desk.install(ticket_app, eraser_app, _fact, _data_url)


def main() -> None:
    """The command."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        app()
    except LacunaError as exc:
        Console(stderr=True, highlight=False).print(exc.detail, markup=False)
        raise SystemExit(1) from exc
