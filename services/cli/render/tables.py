"""Answers as tables, or as JSON. Knows how a value is printed, and nothing of what it means."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.table import Table

from services.cli.render.console import PlainConsole, visible_in_json

console = PlainConsole()
if not console.is_terminal:
    console.width = 200  # output that goes into a pipe or a file keeps its ids whole


def print_answer(answer: Any, as_json: bool, render: Callable[[Any], None]) -> None:
    """Print an answer as JSON, or as `render` prints it."""
    (print_json if as_json else render)(answer)


def print_sentence(text: str) -> None:
    """Print a sentence without adding line breaks."""
    console.print(text, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print JSON."""
    print(visible_in_json(json.dumps(value, indent=2, ensure_ascii=False)))


def print_table(columns: Iterable[str], rows: Iterable[Iterable[Any]], what: str = "") -> None:
    """Print a table. One of no rows is the line "refits: none" instead, where `what` says what it lists."""
    rows = list(rows)
    if what and not rows:
        console.print(f"{what}: none")
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def print_items(answer: Mapping[str, Any], fields: tuple[str, ...]) -> None:
    """Print the items of an answer as a table with these fields as columns."""
    print_table(fields, ([item[field] for field in fields] for item in answer["items"]))


def short_time(timestamp: str | None) -> str:
    """A timestamp to the second, without its zone; empty where there is none."""
    return (timestamp or "")[:19]


def percent(share: float) -> str:
    """0.25 as "25.0 %"."""
    return f"{100 * share:.1f} %"


def words(identifier: str) -> str:
    """A code such as "under_review" as words."""
    return identifier.replace("_", " ")


def counted(count: int, noun: str) -> str:
    """A count with its noun: "1 fact", "2 facts"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
