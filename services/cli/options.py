"""--json, --data, --as: declared once."""

import base64
import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.render import tables
from shared.errors import BadInput

Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
Data = Annotated[Path, typer.Option("--data", envvar="LACUNA_DATA", help="The folder of the stack.")]
Reason = Annotated[str, typer.Option(help="Why; it stays in the history.")]
FOLDER = Path(".lacuna")

Who = Annotated[str, typer.Option("--as", help="Whose key of keys.json is used.")]

Officer = Annotated[str, typer.Option("--as", help="Whose key of keys.json is used.")]


def _as(owner: str) -> Any:
    return typer.Option(owner, "--as", help="Whose key of keys.json is used.")


def _said(answer: Any, json: bool, render: Callable[[Any], None]) -> None:
    (tables.as_json if json else render)(answer)


def As(owner: str) -> Any:
    """Whose key is used, unless LACUNA_KEY is set."""
    return typer.Option(owner, "--as", help="Whose key of keys.json is used.")


def _answer(answer: Any, json: bool, render: Callable[[Any], None]) -> None:
    (tables.as_json if json else render)(answer)


def _data_url(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise BadInput(f"{path} cannot be read: {exc.strerror}.") from exc
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
