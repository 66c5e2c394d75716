"""The options that many commands share: --data, --as, --json, --reason."""

from pathlib import Path
from typing import Annotated, Final

import typer

DATA_FOLDER: Final = Path(".lacuna")

Data = Annotated[Path, typer.Option("--data", envvar="LACUNA_DATA", help="The stack's data folder.")]
As = Annotated[
    str,
    typer.Option(
        "--as", help="The account to act as. Its API key is in the folder's keys.json, unless LACUNA_KEY is set."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables and sentences.")]
Reason = Annotated[str, typer.Option(help="The reason; it is kept in the ticket's history.")]
TicketId = Annotated[str, typer.Argument(help="The ticket's id, such as T-XKJ7WFMA.")]
VersionNumber = Annotated[int, typer.Argument(help="The number of an eraser version.")]
