"""`lacuna letter ...`: letters to the person, by the law of the ticket and in the ticket's language."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.client import Client, request_client
from services.cli.files import format_of, read_text, write_bytes
from services.cli.options import DATA_FOLDER, As, Data, Json, TicketId
from services.cli.render.tables import console, print_answer, print_json, print_sentence
from services.cli.render.tickets import print_letters

app = typer.Typer(no_args_is_help=True, help="Write letters to the person, and record them as they are sent.")

Kind = Annotated[str, typer.Argument(help="receipt, extension, information, completion or refusal.")]
LetterId = Annotated[str, typer.Argument(help="The letter's id, as `lacuna letter list` shows it.")]
Language = Annotated[
    str | None, typer.Option(help="The letter's language, such as de; by default the first of the ticket's.")
]
Out = Annotated[Path | None, typer.Option(help="A file to write: .txt or .pdf. Printed where not given.")]


@app.command("list")
def list_letters(ticket: TicketId, data: Data = DATA_FOLDER, account: As = "olivia", as_json: Json = False) -> None:
    """List the letters of a ticket that were recorded, and those that can be written now."""
    print_answer(request_client(data, account).get(f"/v1/tickets/{ticket}/letters"), as_json, print_letters)


@app.command()
def draft(
    ticket: TicketId,
    kind: Kind,
    language: Language = None,
    out: Out = None,
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """Print a letter as its template has it, or write it to a file. Nothing is recorded."""
    path = f"/v1/tickets/{ticket}/letters/draft/{kind}"
    _give(request_client(data, account), path, out, as_json, language)


@app.command()
def record(
    ticket: TicketId,
    kind: Kind,
    text: Annotated[
        Path | None, typer.Option(help="A file with the letter as it is sent; by default the draft as it is.")
    ] = None,
    language: Language = None,
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """Record a letter as it is sent. Lacuna sends nothing to people: send it yourself."""
    body = {"kind": kind, "language": language, "text": read_text(text) if text is not None else None}
    answer = request_client(data, account).post_with_etag(f"/v1/tickets/{ticket}/letters", body)
    if as_json:
        print_json(answer)
    else:
        print_sentence(f"The {answer['kind']} letter of {ticket} is recorded as {answer['id']}.")


@app.command()
def show(
    ticket: TicketId,
    letter: LetterId,
    out: Out = None,
    data: Data = DATA_FOLDER,
    account: As = "olivia",
    as_json: Json = False,
) -> None:
    """Print a letter as it was recorded, or write it to a file."""
    _give(request_client(data, account), f"/v1/tickets/{ticket}/letters/{letter}", out, as_json)


def _give(client: Client, path: str, out: Path | None, as_json: bool, language: str | None = None) -> None:
    """Write the letter to a file, or print it with what is to be said about it."""
    if out is not None:
        kind = {"txt": "text", "pdf": "pdf"}[format_of(out, ("txt", "pdf"))]
        write_bytes(out, client.download(path, format=kind, language=language))
        print_sentence(f"The letter is in {out}.")
        return
    answer = client.get(path, language=language)
    if as_json:
        print_json(answer)
        return
    console.print(answer["text"])
    if wanted := answer.get("wanted_language"):
        print_sentence(f"There is no letter in the language {wanted}: this one is in English.")
    for gap in answer.get("gaps", ()):
        print_sentence(f"To be filled in before it is recorded: {gap}")
