"""/console/tickets/{id}: one request: what happens now, its clock and history, and everything that can be done."""

import json
from typing import Any, Final, get_args

from fastapi import Request, Response

from services.request.api.schemas import ReasonBody
from services.request.audit_log.dependencies import LogReaderDep
from services.request.certificates import endpoints as certificates
from services.request.certificates.endpoints import Format
from services.request.console import next_steps
from services.request.console.letters import letters_of
from services.request.console.queue import assignment
from services.request.console.routing import console_router
from services.request.console.visit import FormDep, Visit, VisitDep
from services.request.contacts import endpoints as contacts
from services.request.contacts import service as contacts_service
from services.request.letters import endpoints as letters
from services.request.letters.laws import letter_law
from services.request.refits import endpoints as refits
from services.request.tickets import endpoints as tickets
from services.request.tickets.responses import TicketResponse, ticket_summaries
from services.request.tickets.schemas import (
    IdentityCheckCreate,
    IdentityMethod,
    TicketApprove,
    TicketReject,
    TicketWithdraw,
)
from shared.core.clock import utc_now
from shared.db.models.tickets import Ticket
from shared.db.repositories import certificates as certificates_repository
from shared.db.repositories import erasers as erasers_repository
from shared.db.repositories import rollouts, ticket_duplicates
from shared.db.repositories import tickets as tickets_repository
from shared.db.session import transaction
from shared.domain.regimes import regime
from shared.domain.ticket_lifecycle import POSSIBLE_NAMESAKE, UNDECIDED, is_allowed

router = console_router()
PATH: Final = "/console/tickets/{ticket_id}"
MOST_RELATED: Final = 5


@router.get(PATH)
def show(ticket_id: str, visit: VisitDep) -> Response:
    """The page of one request."""
    seen = Response()
    ticket = visit.permit(tickets.show_ticket)(ticket_id, visit.context, visit.principal, seen)
    with transaction(visit.context.database) as session:
        row = tickets_repository.get_ticket(session, visit.principal.tenant_id, ticket.id)
        related = ticket_duplicates.related_tickets(session, row, MOST_RELATED)
        rows = [session.get_one(Ticket, other.id) for other in related]
        versions = erasers_repository.version_numbers_covering(session, row.id)
        replicas = rollouts.live_replicas(session, row.model_id)
        around = next_steps.Surroundings(
            visit.context.alarm_thresholds.nightly_hour,
            visit.context.zone,
            len(replicas),
            sum(replica.version_number in versions for replica in replicas),
        )
        certificate = certificates_repository.newest_certificate(session, row.id)
        fitted = tickets_repository.was_fitted(session, row.id)
        contact = contacts_service.is_kept(session, row.id) and visit.may(contacts.show_contact)
        others = list(zip(ticket_summaries(session, rows), related, strict=True))
    return visit.page(
        "ticket.html",
        ticket=ticket,
        etag=seen.headers["etag"],
        now=utc_now(),
        next_step=next_steps.sentence(ticket, around, visit.language),
        actions=_actions(visit, ticket),
        others=others,
        versions=versions,
        certificate=certificate,
        fitted=fitted,
        contact=contact,
        grounds=regime(ticket.regime).grounds,
        letters=letters_of(visit, ticket.id),
        codes=tuple(letter_law(ticket.regime).reasons),
        methods=get_args(IdentityMethod),
        people=visit.permit(tickets.list_assignees)(visit.context, visit.principal).items,
    )


@router.post(f"{PATH}/approve")
def approve(ticket_id: str, form: FormDep) -> Response:
    """Approve it."""
    values = {"ground": form.text("ground"), "urgent": bool(form.text("urgent")), "names": form.lines("names")}
    body = form.body(TicketApprove, values)
    form.visit.permit(tickets.approve)(ticket_id, body, form.mutation())
    return form.done(_path(ticket_id), "approve")


@router.post(f"{PATH}/material")
def look(ticket_id: str, form: FormDep) -> Response:
    """Show the sealed material to its approver, who gives a reason that stands in the history and in the log."""
    answer = form.visit.permit(tickets.show_material)(ticket_id, _reason(form), form.mutation())
    seen = Response()
    ticket = tickets.show_ticket(ticket_id, form.visit.context, form.visit.principal, seen)
    return form.visit.page(
        "material_shown.html",
        ticket=ticket,
        etag=seen.headers["etag"],
        material=json.loads(bytes(answer.body)),
        actions=_actions(form.visit, ticket),
        grounds=regime(ticket.regime).grounds,
    )


@router.post(f"{PATH}/reject")
def reject(ticket_id: str, form: FormDep) -> Response:
    """Refuse it, with the words that the person is told."""
    body = form.body(TicketReject, {"code": form.text("code"), "note": form.text("note")})
    form.visit.permit(tickets.reject)(ticket_id, body, form.mutation())
    return form.done(_path(ticket_id), "reject")


@router.post(f"{PATH}/withdraw")
def withdraw(ticket_id: str, form: FormDep) -> Response:
    """Withdraw it for the person."""
    body = form.body(TicketWithdraw, {"note": form.text("note")})
    form.visit.permit(tickets.withdraw)(ticket_id, body, form.mutation())
    return form.done(_path(ticket_id), "withdraw")


@router.post(f"{PATH}/identity")
def identify(ticket_id: str, form: FormDep) -> Response:
    """Record how the identity was checked, or that it is in doubt."""
    method = form.text("method")
    values = {
        "outcome": "verified" if method else "doubted",
        "method": method or None,
        "note": form.text("note"),
    }
    form.visit.permit(tickets.identify_ticket)(ticket_id, form.body(IdentityCheckCreate, values), form.mutation())
    return form.done(_path(ticket_id), "identity")


@router.post(f"{PATH}/extend")
def extend(ticket_id: str, form: FormDep) -> Response:
    """Extend the deadline; the letter to the person follows."""
    form.visit.permit(tickets.extend_ticket)(ticket_id, _reason(form), form.mutation())
    return form.done(f"{_path(ticket_id)}/letters/draft/extension", "extend")


@router.post(f"{PATH}/hold")
def hold(ticket_id: str, form: FormDep) -> Response:
    """Put its material under a legal hold."""
    form.visit.permit(tickets.hold_ticket)(ticket_id, _reason(form), form.mutation())
    return form.done(_path(ticket_id), "hold")


@router.post(f"{PATH}/release")
def release(ticket_id: str, form: FormDep) -> Response:
    """Ask for the release of the hold, or confirm it."""
    form.visit.permit(tickets.release_ticket)(ticket_id, _reason(form), form.mutation())
    return form.done(_path(ticket_id), "release")


@router.post(f"{PATH}/distinguish")
def distinguish(ticket_id: str, form: FormDep) -> Response:
    """Decide that it is about another person."""
    form.visit.permit(tickets.distinguish_ticket)(ticket_id, _reason(form), form.mutation())
    return form.done(_path(ticket_id), "distinguish")


@router.post(f"{PATH}/assign")
def assign(ticket_id: str, form: FormDep) -> Response:
    """Say who handles it."""
    form.visit.permit(tickets.assign_ticket)(ticket_id, assignment(form), form.mutation())
    return form.done(_path(ticket_id), "assign")


@router.post(f"{PATH}/refit")
def refit(ticket_id: str, form: FormDep) -> Response:
    """Start a refit now, with every request that is approved."""
    form.visit.permit(refits.order_refit)(form.mutation())
    return form.done(_path(ticket_id), "refit")


@router.post(f"{PATH}/contact")
def reach(ticket_id: str, form: FormDep) -> Response:
    """Show how the person is reached. The reason stands in the history."""
    answer = form.visit.permit(contacts.show_contact)(ticket_id, _reason(form), form.mutation())
    return form.visit.page("contact_shown.html", **json.loads(bytes(answer.body)))


@router.get(f"{PATH}/certificate/{{format}}")
def certificate(
    ticket_id: str, format: Format, visit: VisitDep, log_reader: LogReaderDep, request: Request
) -> Response:
    """The newest certificate as a file."""
    read = visit.permit(certificates.certificate)
    answer = read(ticket_id, visit.context, visit.principal, log_reader, request, format)
    answer.headers.setdefault("Content-Disposition", f'attachment; filename="{ticket_id.upper()}.json"')
    return answer


def _actions(visit: Visit, ticket: TicketResponse) -> dict[str, bool]:
    """Which forms the page has: for what its reader may do and the state allows. The service decides in the end."""
    undecided, sealed = ticket.state in UNDECIDED, ticket.payload == "sealed"
    can: dict[str, tuple[Any, bool]] = {
        "approve": (tickets.approve, is_allowed(ticket.state, "approve")),
        "look": (tickets.show_material, (undecided or ticket.state == "failed") and sealed),
        "reject": (tickets.reject, is_allowed(ticket.state, "reject")),
        "identify": (tickets.identify_ticket, undecided or ticket.state == "duplicate"),
        "edit": (tickets.edit_ticket, (undecided or _may_be_corrected(ticket)) and sealed),
        "extend": (tickets.extend_ticket, ticket.due.extendable and ticket.clock != "stopped"),
        "distinguish": (
            tickets.distinguish_ticket,
            is_allowed(ticket.state, "distinguish") or _is_undecided_namesake(ticket),
        ),
        "hold": (tickets.hold_ticket, ticket.hold is None and (sealed or ticket.kit)),
        "release": (tickets.release_ticket, ticket.hold is not None),
        "withdraw": (tickets.withdraw, is_allowed(ticket.state, "withdraw")),
        "refit": (refits.order_refit, ticket.state in ("approved", "failed", "regressed")),
        "assign": (tickets.assign_ticket, True),
        "write": (letters.draft_letter, True),
        "read": (letters.show_letter, True),
        "certificate": (certificates.certificate, True),
    }
    return {name: possible and visit.may(operation) for name, (operation, possible) in can.items()}


def _is_undecided_namesake(ticket: TicketResponse) -> bool:
    return ticket.review_reason == POSSIBLE_NAMESAKE and ticket.state in UNDECIDED


def _may_be_corrected(ticket: TicketResponse) -> bool:
    return is_allowed(ticket.state, "amend") and ticket.required_since is None


def _reason(form: FormDep) -> ReasonBody:
    return form.body(ReasonBody, {"reason": form.text("reason")})


def _path(ticket_id: str) -> str:
    return f"/console/tickets/{ticket_id}"
