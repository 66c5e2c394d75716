"""Letters to the person: those of a ticket, and those whose time is over."""

import uuid
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from shared.db.models.letters import Letter
from shared.db.models.tickets import Ticket, TicketEvent, TicketHold
from shared.domain.ticket_lifecycle import CLOSED
from shared.errors import NotFound


def list_letters(session: Session, ticket_id: str) -> list[Letter]:
    """The letters that were recorded for the ticket, in order."""
    query = select(Letter).where(Letter.ticket_id == ticket_id)
    return list(session.scalars(query.order_by(Letter.recorded_at, Letter.id)))


def get_letter(session: Session, ticket_id: str, letter_id: uuid.UUID) -> Letter:
    """One letter of the ticket. Raises NotFound."""
    letter = session.get(Letter, letter_id)
    if letter is None or letter.ticket_id != ticket_id:
        raise NotFound(f"{ticket_id} has no letter {letter_id}.")
    return letter


def letters_over(session: Session, model_id: str, ended_before: datetime, most: int) -> list[Letter]:
    """Letters of tickets that ended before that moment and are under no legal hold, locked."""
    ended = (
        select(func.max(TicketEvent.at))
        .where(TicketEvent.ticket_id == Ticket.id, TicketEvent.kind == "state")
        .scalar_subquery()
    )
    held = exists().where(TicketHold.ticket_id == Ticket.id, TicketHold.released_at.is_(None))
    query = (
        select(Letter)
        .join(Ticket, Ticket.id == Letter.ticket_id)
        .where(
            Letter.wrapped_key.is_not(None),
            Letter.recorded_at < ended_before,
            Ticket.model_id == model_id,
            Ticket.state.in_(("completed", *CLOSED)),
            ended < ended_before,
            ~held,
        )
        .limit(most)
    )
    return list(session.scalars(query.with_for_update(of=Letter, skip_locked=True)))
