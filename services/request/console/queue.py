"""/console and /console/tickets: requests by deadline, in views, and found by name, number or case reference.

A view is one that everybody has, or one that somebody saved by a name. The address has the id of a saved view.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from services.request.api.preconditions import etag
from services.request.api.schemas import StrictModel
from services.request.console.approvals import Outcome
from services.request.console.navigation import navigation
from services.request.console.routing import HOME, console_router, local_path
from services.request.console.visit import Form, FormDep, Visit, VisitDep, read_body
from services.request.documents.language import mark
from services.request.tickets import endpoints as tickets
from services.request.tickets.responses import AssigneeResponse, TicketPage
from services.request.tickets.schemas import TicketAssign, TicketFilter, TicketSearch
from services.request.views import endpoints as views
from services.request.views.schemas import ViewCreate, ViewFilters
from shared.core.clock import utc_now
from shared.db.repositories import ticket_search
from shared.db.session import transaction
from shared.domain.ticket_lifecycle import CLOSED, STATES
from shared.errors import BadInput, Forbidden, LacunaError

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
    View("mine", mark("Mine"), BY_DEADLINE | {"assigned": "me"}),
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
    assigned: str = ""
    saved: uuid.UUID | None = None
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
    saved = visit.permit(views.show_view)(query.saved, visit.context, visit.principal) if query.saved else None
    filters = saved.filters if saved else _asked_for(query)
    view = next(view for view in VIEWS if view.key == filters.view)
    own = {
        "state": filters.state,
        "urgent": filters.urgent or None,
        "source": filters.source,
        "assigned": str(filters.assigned) if filters.assigned else None,
    }
    chosen = {name: value for name, value in own.items() if value is not None}
    if chosen.get("state") in OVER:
        view = VIEWS[-1]  # no list by deadline has them
    wanted = read_body(TicketFilter, dict(view.filters) | chosen | {"limit": PAGE, "cursor": query.cursor or None})
    page = visit.permit(tickets.list_tickets)(visit.context, visit.principal, wanted)
    kept = {"view": view.key} | {name: value for name, value in chosen.items() if name not in view.filters}
    if saved is not None:
        kept = {"saved": str(saved.id)}
    with transaction(visit.context.database) as session:
        counts = ticket_search.count_by_state(session, visit.principal.tenant_id)
        mine = _count_mine(session, visit)
    return visit.page(
        "queue.html",
        view=view,
        views=[
            (each, mine if each.key == "mine" else sum(counts.get(state, 0) for state in each.states))
            if each.states or each.key == "mine"
            else (each, None)
            for each in VIEWS
        ],
        saved=saved,
        saved_views=visit.permit(views.list_views)(visit.context, visit.principal).items,
        may_save=visit.may(views.save_view),
        states=STATES,
        chosen=own,
        kept=kept,
        first=not query.cursor,
        **_rows(visit, page),
    )


@router.post("/console/views")
def save_view(form: FormDep) -> Response:
    """Save the list that was shown, with what it was narrowed by, under a name."""
    values = {name: form.text(name) or None for name in ("state", "urgent", "source", "assigned")}
    body = form.body(ViewCreate, {"name": form.text("name"), "filters": values | {"view": form.text("view") or "due"}})
    answer = form.visit.permit(views.save_view)(body, form.mutation())
    return RedirectResponse(f"/console/tickets?saved={json.loads(bytes(answer.body))['id']}&done=view", 303)


@router.post("/console/views/{view_id}/end")
def end_view(view_id: uuid.UUID, form: FormDep) -> Response:
    """Delete a view."""
    form.visit.permit(views.end_view)(view_id, form.mutation())
    return form.done("/console/tickets", "end-view")


@router.post("/console/tickets/assign")
def assign(form: FormDep) -> Response:
    """Assign the requests that were ticked; one that somebody changed meanwhile does not hold up the others."""
    visit, outcomes = form.visit, []
    permitted = visit.permit(tickets.assign_ticket)
    body = assignment(form)
    for ticket_id in dict.fromkeys(form.texts("ticket")):
        try:
            permitted(ticket_id, body, form.mutation(form.text(f"etag-{ticket_id}"), part=f"-{ticket_id}"))
        except LacunaError as error:
            outcomes.append(Outcome(ticket_id, error))
        else:
            outcomes.append(Outcome(ticket_id, None))
    if not outcomes:
        raise BadInput("Tick the requests that you want to assign.")
    back = local_path(form.text("back"))
    if all(outcome.refusal is None for outcome in outcomes):
        return RedirectResponse(f"{back}{'&' if '?' in back else '?'}done=assign", 303)
    return visit.page("outcomes.html", action="assign", outcomes=outcomes, back=back)


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


def assignment(form: Form) -> TicketAssign:
    """To whom a form assigns: `me`, a name, or nobody."""
    return form.body(TicketAssign, {"to": form.text("to") or None})


def _asked_for(query: QueueQuery) -> ViewFilters:
    """The filters of the address. A list that there is not is the first one."""
    known = query.view if any(view.key == query.view for view in VIEWS) else VIEWS[0].key
    values = {"state": query.state, "urgent": query.urgent, "source": query.source, "assigned": query.assigned}
    return read_body(ViewFilters, {"view": known} | {name: value or None for name, value in values.items()})


def _count_mine(session: Session, visit: Visit) -> int:
    person = visit.principal.person_id
    return ticket_search.count_assigned(session, visit.principal.tenant_id, person) if person else 0


def _assignees(visit: Visit) -> list[AssigneeResponse]:
    return list(visit.permit(tickets.list_assignees)(visit.context, visit.principal).items)


def _rows(visit: Visit, page: TicketPage) -> dict[str, Any]:
    return {
        "items": page.items,
        "next": page.next,
        "now": utc_now(),
        "may_search": visit.may(tickets.search_tickets),
        "may_file": visit.may(tickets.submit),
        "may_approve": visit.may(tickets.approve),
        "may_assign": visit.may(tickets.assign_ticket),
        "people": _assignees(visit),
        "etag_of": lambda ticket: etag(ticket.version),
    }
