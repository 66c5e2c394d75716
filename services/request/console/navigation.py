"""The menu: which pages there are, and the operation that each needs. What one may not open is not in it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from services.request.console.language import mark
from services.request.tickets import endpoints as tickets


@dataclass(frozen=True)
class Entry:
    """A page of the menu. `operation` is the endpoint function without which it would be empty."""

    path: str
    label: str
    operation: Callable[..., Any]


@dataclass(frozen=True)
class ShownEntry:
    """An entry that its reader may open."""

    path: str
    label: str
    current: bool


MENU: Final = (
    Entry("/console/tickets", mark("Requests"), tickets.list_tickets),
    Entry("/console/tickets/new", mark("New request"), tickets.submit),
)


def navigation(may: Callable[[Callable[..., Any]], bool], path: str) -> list[ShownEntry]:
    """The menu of somebody who `may` call some operations and is at `path`."""
    open_to_them = [entry for entry in MENU if may(entry.operation)]
    beneath = [entry.path for entry in open_to_them if path == entry.path or path.startswith(f"{entry.path}/")]
    current = max(beneath, key=len, default=None)
    return [ShownEntry(entry.path, entry.label, entry.path == current) for entry in open_to_them]
