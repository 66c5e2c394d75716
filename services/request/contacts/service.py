"""How the person of a ticket is reached, where the request brought it: sealed, shown on record, and destroyed.

It is destroyed with the payload of the ticket (a trigger of the database).

Each function is one transaction's worth. Knows no HTTP.
"""

import json
from collections.abc import Mapping
from typing import Final

from sqlalchemy.orm import Session

from services.request import sealing
from services.request.auth.principals import Principal
from services.request.context import AppContext
from shared.core.clock import utc_now
from shared.db.models.intake import TicketContact
from shared.db.models.tickets import Ticket
from shared.db.repositories import tickets
from shared.errors import NotFound

NONE_KEPT: Final = "There is no contact of this request: it brought none, or it is destroyed."


def add(session: Session, context: AppContext, ticket: Ticket, contact: Mapping[str, str]) -> None:
    """Seal how the person is reached, beside the ticket, in a `sealing.change`."""
    said = json.dumps(dict(contact)).encode()
    sealed = sealing.seal(session, context, ticket.tenant_id, said, contact_key(ticket.id))
    session.add(
        TicketContact(
            ticket_id=ticket.id,
            tenant_id=ticket.tenant_id,
            sealed=sealed.blob,
            wrapped_key=sealed.wrapped_key,
            added_at=utc_now(),
        )
    )


def is_kept(session: Session, ticket_id: str) -> bool:
    """Whether there is a contact of the ticket."""
    row = session.get(TicketContact, ticket_id)
    return row is not None and row.wrapped_key is not None


def show(session: Session, context: AppContext, principal: Principal, ticket_id: str, reason: str) -> Mapping[str, str]:
    """The contact of a ticket, with an entry in its history and in the log. Raises NotFound where there is none."""
    ticket = tickets.get_ticket(session, principal.tenant_id, ticket_id, lock=True)
    row = session.get(TicketContact, ticket.id)
    if row is None or row.sealed is None or row.wrapped_key is None:
        raise NotFound(NONE_KEPT)
    contact: dict[str, str] = json.loads(context.keys.open(row.sealed, row.wrapped_key, contact_key(ticket.id)))
    tickets.record(session, ticket, principal.owner, reason, "contact.shown")
    return contact


def contact_key(ticket_id: str) -> str:
    """What the ciphertext of a contact is bound to."""
    return f"contact/{ticket_id}"
