"""The menu: which pages there are, and the operation that each needs. What one may not open is not in it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from services.request.api_keys import endpoints as api_keys
from services.request.audit_log import endpoints as audit_log
from services.request.break_glass import endpoints as break_glass
from services.request.documents.language import mark
from services.request.erasers import endpoints as erasers
from services.request.monitoring import endpoints as monitoring
from services.request.people import endpoints as people
from services.request.registers import endpoints as registers
from services.request.retain_sets import endpoints as retain_sets
from services.request.tenants import endpoints as tenants
from services.request.tickets import endpoints as tickets
from services.request.webhooks import endpoints as webhooks


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
    Entry("/console/erasers", mark("Erasers"), erasers.list_erasers),
    Entry("/console/break-glass", mark("Break-glass"), break_glass.list_break_glass),
    Entry("/console/status", mark("Status"), monitoring.status),
    Entry("/console/figures", mark("Figures"), registers.register_kpis),
    Entry("/console/retain-sets", mark("Retain sets"), retain_sets.list_retain_sets),
    Entry("/console/webhooks", mark("Webhooks"), webhooks.list_webhooks),
    Entry("/console/people", mark("People"), people.list_people),
    Entry("/console/tenants", mark("Tenants"), tenants.list_tenants),
    Entry("/console/keys", mark("Keys"), api_keys.list_keys),
    Entry("/console/log", mark("Audit log"), audit_log.log_leaves),
)


def navigation(may: Callable[[Callable[..., Any]], bool], path: str) -> list[ShownEntry]:
    """The menu of somebody who `may` call some operations and is at `path`."""
    open_to_them = [entry for entry in MENU if may(entry.operation)]
    beneath = [entry.path for entry in open_to_them if path == entry.path or path.startswith(f"{entry.path}/")]
    current = max(beneath, key=len, default=None)
    return [ShownEntry(entry.path, entry.label, entry.path == current) for entry in open_to_them]
