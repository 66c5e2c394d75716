"""/console and /console/tickets: requests by deadline, in views, and found by name, number or case reference."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from services.request.api.schemas import StrictModel
from services.request.console.navigation import navigation
from services.request.console.routing import HOME, console_router
from services.request.console.visit import FormDep, Visit, VisitDep, read_body
from services.request.documents.language import mark
from services.request.tickets import endpoints as tickets
from services.request.tickets.responses import TicketPage
from services.request.tickets.schemas import TicketFilter, TicketSearch
from shared.core.clock import utc_now
from shared.db.repositories import ticket_search
from shared.db.session import transaction
from shared.domain.ticket_lifecycle import CLOSED, STATES
from shared.errors import Forbidden

router = console_router()
PAGE: Final = 50
TICKET_ID: Final = re.compile(r"T-[0-9A-Z]{8}", re.IGNORECASE)
# With a filter on the due date a list is ordered by it, and has only requests whose clock has not stopped.
EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
OVER: Final = (*CLOSED, "completed")  # their clocks have stopped
BY_DEADLINE: Final = {"due_before": EVER}


@dataclass(frozen=True)
class View:
    """A list that people look at every day. `states` are those whose requests are counted beside its name."""

    key: str
    label: str
    filters: Mapping[str, Any]
    states: tuple[str, ...] = ()


VIEWS: Final = (
    View("due", mark("Open, by deadline"), BY_DEADLINE, tuple(state for state in STATES if state not in OVER)),
    View("review", mark("To review"), BY_DEADLINE | {"state": "under_review"}, ("under_review",)),
    View("identity", mark("Identity in doubt"), BY_DEADLINE | {"state": "identity_pending"}, ("identity_pending",)),
    View("overdue", mark("Overdue"), {"overdue": True}),
    View("failed", mark("Failed"), BY_DEADLINE | {"state": "failed"}, ("failed",)),
    View("completed", mark("Completed"), {"state": "completed"}, ("completed",)),
    View("all", mark("All, newest first"), {}, STATES),
)  # fmt: skip


class QueueQuery(StrictModel):
    """What the address of a list says. No name and no case reference is ever in it."""

    view: str = "due"
    state: str = ""
    urgent: bool = False
    source: str = ""
    cursor: str = ""
    done: str = ""


@router.get(HOME)
def home(visit: VisitDep) -> Response:
    """To the first page that its reader may open."""
    entries = navigation(visit.may, HOME)
    if not entries:
        raise Forbidden("No page of the console is open to this account.")
    return RedirectResponse(entries[0].path, 303)


@router.get("/console/tickets")
def show_queue(visit: VisitDep, request: Request) -> Response:
    """One page of a view."""
    query = read_body(QueueQuery, dict(request.query_params))
    view = next((view for view in VIEWS if view.key == query.view), VIEWS[0])
    own = {"state": query.state or None, "urgent": query.urgent or None, "source": query.source or None}
    chosen = {name: value for name, value in own.items() if value is not None}
    if chosen.get("state") in OVER:
        view = VIEWS[-1]  # no list by deadline has them
    filters = read_body(TicketFilter, dict(view.filters) | chosen | {"limit": PAGE, "cursor": query.cursor or None})
    page = visit.permit(tickets.list_tickets)(visit.context, visit.principal, filters)
    kept = {"view": view.key} | {name: value for name, value in chosen.items() if name not in view.filters}
    with transaction(visit.context.database) as session:
        counts = ticket_search.count_by_state(session, visit.principal.tenant_id)
    return visit.page(
        "queue.html",
        view=view,
        views=[(each, sum(counts.get(state, 0) for state in each.states) if each.states else None) for each in VIEWS],
        states=STATES,
        chosen=own,
        kept=kept,
        first=not query.cursor,
        **_rows(visit, page),
    )


@router.post("/console/tickets/search")
def search(form: FormDep) -> Response:
    """Requests by a name or a case reference, which are sent in the body; a number leads straight to its request."""
    visit, text = form.visit, form.text("text")
    if TICKET_ID.fullmatch(text):
        return RedirectResponse(f"/console/tickets/{text.upper()}", 303)
    find = visit.permit(tickets.search_tickets)
    by_name = find(
        form.body(TicketSearch, {"names": [text], "limit": PAGE, "cursor": form.text("cursor") or None}),
        visit.context,
        visit.principal,
    )
    by_reference = find(form.body(TicketSearch, {"external_ref": text}), visit.context, visit.principal)
    known = {ticket.id for ticket in by_name.items}
    found = TicketPage(
        items=[*(ticket for ticket in by_reference.items if ticket.id not in known), *by_name.items], next=by_name.next
    )
    return visit.page("search.html", text=text, **_rows(visit, found))


def _rows(visit: Visit, page: TicketPage) -> dict[str, Any]:
    return {
        "items": page.items,
        "next": page.next,
        "now": utc_now(),
        "may_search": visit.may(tickets.search_tickets),
        "may_file": visit.may(tickets.submit),
        "may_approve": visit.may(tickets.approve),
    }
