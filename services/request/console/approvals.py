"""/console/tickets/review: several requests are looked at one by one and approved together, each by its own rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import Response

from services.request.console.routing import console_router
from services.request.console.visit import FormDep
from services.request.tickets import endpoints as tickets
from services.request.tickets.responses import TicketResponse
from services.request.tickets.schemas import TicketApprove
from shared.core.clock import utc_now
from shared.domain.regimes import regime
from shared.errors import BadInput, LacunaError

router = console_router()
REVIEW: Final = "/console/tickets/review"
MOST: Final = 50  # requests that are looked at on one page


@dataclass(frozen=True)
class Candidate:
    """A request on the page, with the ETag of what its approver sees."""

    ticket: TicketResponse
    etag: str
    grounds: Sequence[str]


@dataclass(frozen=True)
class Outcome:
    """What became of one request: approved, or why not."""

    ticket_id: str
    refusal: LacunaError | None


@router.post(REVIEW)
def review(form: FormDep) -> Response:
    """The requests that were ticked, each with what its approver has to look at."""
    visit, ids = form.visit, list(dict.fromkeys(form.texts("ticket")))
    visit.permit(tickets.approve)
    if not ids:
        raise BadInput("Tick the requests that you want to look at.")
    if len(ids) > MOST:
        raise BadInput(f"At most {MOST} requests are looked at on one page.")
    candidates = []
    for ticket_id in ids:
        seen = Response()
        ticket = visit.permit(tickets.show_ticket)(ticket_id, visit.context, visit.principal, seen)
        candidates.append(Candidate(ticket, seen.headers["etag"], regime(ticket.regime).grounds))
    return visit.page("review.html", candidates=candidates, now=utc_now())


@router.post("/console/tickets/approve")
def approve(form: FormDep) -> Response:
    """Approve each request that its approver says they looked at; one that is refused does not hold up the others."""
    visit, outcomes = form.visit, []
    permitted = visit.permit(tickets.approve)
    for ticket_id in form.texts("looked_at"):
        values = {"ground": form.text(f"ground-{ticket_id}"), "names": form.lines(f"names-{ticket_id}")}
        try:
            body = form.body(TicketApprove, values)
            permitted(ticket_id, body, form.mutation(form.text(f"etag-{ticket_id}"), part=f"-{ticket_id}"))
        except LacunaError as error:
            outcomes.append(Outcome(ticket_id, error))
        else:
            outcomes.append(Outcome(ticket_id, None))
    if not outcomes:
        raise BadInput("Say of each request that you looked at it.")
    return visit.page("outcomes.html", action="approve", outcomes=outcomes, back="/console/tickets?view=review")
