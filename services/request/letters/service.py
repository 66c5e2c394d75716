"""Record letters as they are sent, open them again, and destroy them when their time is over. Knows no HTTP.

Lacuna sends nothing to people: what is recorded is the text that an officer sends by their own means. It is sealed
under a key of its own; the log has the digest of the sealed text.
"""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session

from services.request import sealing
from services.request.auth.principals import Principal
from services.request.context import AppContext
from services.request.letters.drafts import GAP, LetterKind, draft
from shared.core.clock import utc_now
from shared.crypto.keyring import KeyRing
from shared.db.models.letters import Letter
from shared.db.models.tickets import Ticket, TicketEvent
from shared.db.repositories import audit_log, letters
from shared.domain.accounts import SYSTEM_ACTOR
from shared.errors import BadInput, NotFound

AT_ONCE: Final = 50


@dataclass(frozen=True)
class RecordedLetter:
    """A recorded letter, opened."""

    letter: Letter
    text: str


def record(
    session: Session,
    context: AppContext,
    principal: Principal,
    ticket: Ticket,
    kind: LetterKind,
    wanted: str | None,
    text: str | None,
) -> RecordedLetter:
    """Record the letter as `text` has it, or as its draft has it where no text is given.

    A receipt acknowledges the request. Raises Conflict for a letter that the state of the ticket does not allow, and
    BadInput where something in square brackets is still to be filled in.
    """
    made = draft(session, ticket, kind, context.controller, principal.owner, wanted)
    said = made.text if text is None else text.strip().replace("\r\n", "\n") + "\n"
    if gap := GAP.search(said):
        raise BadInput(f"Fill in what stands in square brackets: {gap.group()}")
    letter_id = uuid.uuid4()
    sealed = sealing.seal(session, context, ticket.tenant_id, said.encode(), _place(letter_id))
    letter = Letter(
        id=letter_id,
        ticket_id=ticket.id,
        kind=kind,
        regime=ticket.regime,
        language=made.language,
        edited=said != made.text,
        sealed=sealed.blob,
        wrapped_key=sealed.wrapped_key,
        sha256=hashlib.sha256(sealed.blob).hexdigest(),
        recorded_by=principal.owner,
        recorded_at=utc_now(),
    )
    session.add(letter)
    if kind == "receipt" and ticket.acknowledged_at is None:
        ticket.acknowledged_at = letter.recorded_at
    ticket.version += 1
    event = TicketEvent(
        ticket_id=ticket.id, at=letter.recorded_at, actor=principal.owner, state=ticket.state, kind=f"letter.{kind}"
    )
    session.add(event)
    detail = {"letter": str(letter.id), "kind": kind, "sha256": letter.sha256}
    audit_log.append_leaf(session, principal.owner, "letter.recorded", ticket.id, detail)
    return RecordedLetter(letter, said)


def open_letter(session: Session, keys: KeyRing, ticket: Ticket, letter_id: uuid.UUID) -> RecordedLetter:
    """A recorded letter. Raises NotFound for one that there is not, or that is destroyed."""
    letter = letters.get_letter(session, ticket.id, letter_id)
    if letter.sealed is None or letter.wrapped_key is None:
        raise NotFound(f"The letter {letter_id} of {ticket.id} is destroyed: its time was over.")
    return RecordedLetter(letter, keys.open(letter.sealed, letter.wrapped_key, _place(letter.id)).decode())


def destroy_old(session: Session, model_id: str, keep: timedelta) -> int:
    """Take the text and the key from letters of tickets that ended so long ago, a batch at most; return how many.

    The control loop destroys their shredding keys, with a leaf for each (retention/service.py).
    """
    over = letters.letters_over(session, model_id, utc_now() - keep, AT_ONCE)
    for letter in over:
        letter.sealed = letter.wrapped_key = None
        letter.destroyed_at = utc_now()
        detail = {"letter": str(letter.id), "sha256": letter.sha256}
        audit_log.append_leaf(session, SYSTEM_ACTOR, "letter.shredding_begun", letter.ticket_id, detail)
    return len(over)


def _place(letter_id: uuid.UUID) -> str:
    """What is bound to the sealed text, so that no row can be given the text of another."""
    return f"letter/{letter_id}"
