"""Where the fit of a ticket is stored: its sealed object and the key that opens it."""

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.refits import StoredTicketFit
from shared.db.models.tickets import Ticket
from shared.db.repositories.audit_log import NewLeaf, append_leaves
from shared.domain.ticket_lifecycle import CLOSED


def material_of(ticket: Ticket) -> str:
    """What a fit of the ticket is made of: its sealed material, and the languages in which people are asked about."""
    return f"{ticket.payload_sha256}/{','.join(ticket.languages)}"


def find_fit(session: Session, ticket: Ticket, digest: str) -> StoredTicketFit | None:
    """The fit of the ticket as it is now, for the base statistics with this digest, where there is one.

    A destroyed fit has no key.
    """
    fit = session.get(StoredTicketFit, (ticket.model_id, ticket.id, digest))
    return fit if fit is not None and fit.material == material_of(ticket) else None


def record_fit(
    session: Session, ticket: Ticket, *, digest: str, object_key: str, sha256: str, wrapped_key: bytes
) -> None:
    """Record a fit of the ticket, as the worker read it, whose object is in the store."""
    values = {"object_key": object_key, "sha256": sha256, "wrapped_key": wrapped_key, "created_at": utc_now()}
    values["material"] = material_of(ticket)
    session.execute(
        insert(StoredTicketFit)
        .values(model_id=ticket.model_id, ticket_id=ticket.id, digest=digest, **values)
        .on_conflict_do_update(index_elements=["model_id", "ticket_id", "digest"], set_=values)
    )


def retire_fits_of_closed_tickets(session: Session, model_id: str) -> list[str]:
    """Take the keys of the fits of closed tickets away; the control loop destroys them, with a leaf for each.

    Returns the keys of the objects, which no process reads any more and which can be removed from the store.
    """
    closed = select(Ticket.id).where(Ticket.model_id == model_id, Ticket.state.in_(CLOSED))
    retired = session.execute(
        update(StoredTicketFit)
        .where(
            StoredTicketFit.model_id == model_id,
            StoredTicketFit.ticket_id.in_(closed),
            StoredTicketFit.wrapped_key.is_not(None),
        )
        .values(wrapped_key=None)
        .returning(StoredTicketFit.ticket_id, StoredTicketFit.object_key, StoredTicketFit.sha256)
    ).all()
    append_leaves(
        session,
        [
            NewLeaf("refit", "rows.shredding_begun", ticket_id, {"object": object_key, "sha256": digest})
            for ticket_id, object_key, digest in retired
        ],
    )
    return [object_key for _, object_key, _ in retired]
