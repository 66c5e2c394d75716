"""Answers as tables and sentences, or as JSON. Knows the shape of the answers and nothing else."""

import json
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

console = Console(highlight=False)
if not console.is_terminal:
    console.width = 200  # what is piped on is not for a screen: ids stay whole


def as_json(value: Any) -> None:
    """JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def rows(columns: Iterable[str], lines: Iterable[Iterable[Any]]) -> None:
    """A table."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for line in lines:
        table.add_row(*(_cell(value) for value in line))
    console.print(table)


def _moment(text: str | None) -> str:
    return (text or "")[:19]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    return str(value)


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _table(found: Any, columns: tuple[str, ...], json: bool) -> None:
    if json:
        as_json(found)
    else:
        rows(columns, ([_text(one[name]) for name in columns] for one in found["items"]))


def _text(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, list) else value
