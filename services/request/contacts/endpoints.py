"""/v1/tickets/{ticket_id}/contact: how the person of a request is reached, where the request brought it."""

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.idempotency import MutationDep, MutationResult
from services.request.api.schemas import ReasonBody
from services.request.contacts import service
from services.request.contacts.responses import ContactResponse

router = APIRouter(tags=["tickets"])


@router.post("/v1/tickets/{ticket_id}/contact", response_model=ContactResponse)
def show_contact(ticket_id: str, body: ReasonBody, mutation: MutationDep) -> JSONResponse:
    """How the person is reached. Somebody looked, and why, stands in the history and in the log."""

    def show(session: Session) -> MutationResult:
        contact = service.show(session, mutation.context, mutation.principal, ticket_id, body.reason)
        return MutationResult(ContactResponse(ticket=ticket_id.upper(), contact=dict(contact)))

    return mutation.run_once(show, hide=frozenset({"contact"}))
