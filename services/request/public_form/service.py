"""What a public form does: it proves a mail address, files a ticket, and says how far the request is.

Nothing that it answers depends on whether anybody is known: not to the model, not to an earlier request. What it files
waits for an identity check, because the code proves a mail address and not whose name was typed. Each function is one
transaction's worth. Knows no HTTP.
"""

import hmac
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from services.request import sealing
from services.request.auth.principals import Principal
from services.request.contacts import service as contacts
from services.request.context import AppContext
from services.request.public_form import links
from services.request.tickets import duplicates, identity_checks, intake
from services.request.tickets.drafts import Drafts, PreparedTicket
from services.request.tickets.schemas import IdentityCheckCreate, TicketCreate
from shared.core.clock import utc_now
from shared.core.config import FormSettings
from shared.db.models.intake import FormRequest
from shared.db.models.tickets import Ticket
from shared.db.repositories.ticket_duplicates import PUBLIC_FORM
from shared.db.session import transaction
from shared.domain.accounts import SYSTEM_ACTOR
from shared.domain.ticket_lifecycle import UNDECIDED
from shared.errors import BadInput, Conflict, NotFound, NotReady

OPEN_FOR: Final = timedelta(hours=2)  # from the address to the request
LONGEST_ADDRESS: Final = 254  # RFC 5321, section 4.5.3.1
ADDRESS: Final = re.compile(
    r"(?!.*=\?)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}", re.ASCII
)
MOST_TRIES: Final = 5  # wrong codes of one form
CODES_OF_ADDRESS: Final = ((3, timedelta(hours=1)), (10, timedelta(days=1)))
UNDECIDED_OF_ADDRESS: Final = 5  # requests of one address that nobody has decided
FULL: Final = "No more requests can be taken at the moment. Try again later, or write to us."
BEING_SENT: Final = "This request is being sent already. Open this page again in a moment."
UNPROVED: Final = "Filed by the public form. A code proved the mail address, and nothing that it is the person's."
Stage = Literal["checking", "working", "done", "answered", "withdrawn", "expired"]


@dataclass(frozen=True)
class FormState:
    """A form as its link finds it: to be proved by a code, to be filled in, or filed."""

    id: uuid.UUID
    language: str
    proved: bool
    tries_left: int
    stage: Stage | None = None
    due: str | None = None  # the last day, as YYYY-MM-DD, while the clock runs


def read_address(text: str) -> str:
    """The mail address. Raises BadInput, which does not repeat it, for what is none that can be written to."""
    address = text.strip()
    if len(address) > LONGEST_ADDRESS or not ADDRESS.fullmatch(address) or ".." in address:
        raise BadInput("This is not an e-mail address that we can write to.")
    local, _, domain = address.partition("@")
    return f"{local}@{domain.lower()}"


def begin(context: AppContext, settings: FormSettings, address: str, language: str) -> uuid.UUID:
    """Begin a form: its code is sent to `address`, unless that was sent too many.

    What is answered and done is the same in either case. Raises NotReady where too many forms or requests wait.
    """
    number, now = uuid.uuid4(), utc_now()
    index = context.keys.blind_index(f"form address {address.lower()}")
    with sealing.change(context) as session:
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"form {settings.tenant}", 0))))
        _require_room(session, settings)
        sealed = sealing.seal(session, context, settings.tenant, address.encode(), form_key(number))
        of_address = FormRequest.tenant_id == settings.tenant, FormRequest.address_index == index
        counts = [
            session.scalar(select(func.count()).where(*of_address, FormRequest.created_at > now - span)) or 0
            for _, span in CODES_OF_ADDRESS
        ]
        waiting = _undecided(session, settings.tenant, index)
        sends = all(count < most for count, (most, _) in zip(counts, CODES_OF_ADDRESS, strict=True))
        session.add(
            FormRequest(
                id=number,
                tenant_id=settings.tenant,
                address_index=index,
                sealed=sealed.blob,
                wrapped_key=sealed.wrapped_key,
                language=language,
                mail_next_at=now if sends and waiting < UNDECIDED_OF_ADDRESS else None,
                mail_attempts=0,
                tries=0,
                created_at=now,
                expires_at=now + OPEN_FOR,
            )
        )
    return number


def _require_room(session: Session, settings: FormSettings) -> None:
    of_tenant = FormRequest.tenant_id == settings.tenant
    open_now = of_tenant, FormRequest.ticket_id.is_(None), FormRequest.expires_at > utc_now()
    under_way = session.scalar(select(func.count()).where(*open_now)) or 0
    waiting = _undecided(session, settings.tenant)
    if under_way >= settings.most_open or waiting >= settings.most_waiting:
        raise NotReady(FULL, retry_after_s=600)


def _undecided(session: Session, tenant: str, index: str | None = None) -> int:
    """How many requests of the form nobody has decided, of one address or of all."""
    waiting = select(func.count()).select_from(FormRequest).join(Ticket, Ticket.id == FormRequest.ticket_id)
    in_doubt = and_(Ticket.state == "duplicate", Ticket.identity == "doubted")
    waiting = waiting.where(FormRequest.tenant_id == tenant, or_(Ticket.state.in_(UNDECIDED), in_doubt))
    if index is not None:
        waiting = waiting.where(FormRequest.address_index == index)
    return session.scalar(waiting) or 0


def look(context: AppContext, number: uuid.UUID) -> FormState:
    """How far a form is. Raises NotFound where it was not filed in time."""
    with transaction(context.database) as session:
        form = session.get(FormRequest, number)
        if form is None or (form.ticket_id is None and form.expires_at < utc_now()):
            raise NotFound(links.NO_PAGE)
        proved, left = form.proved_at is not None, max(0, MOST_TRIES - form.tries)
        if form.ticket_id is None:
            return FormState(form.id, form.language, proved, left)
        ticket = session.get_one(Ticket, form.ticket_id)
        stage = _stage(session, ticket)
        tells = stage != "checking" and ticket.clock == "running"  # the clock of a duplicate stands still
        due = ticket.due_at.date().isoformat() if tells and ticket.due_at else None
        return FormState(form.id, form.language, proved, left, stage, due)


def _stage(session: Session, ticket: Ticket) -> Stage:
    """What the person is told of a ticket. Before the identity is verified, nothing of another request shows."""
    stages: Mapping[str, Stage] = {
        "identity_pending": "checking", "duplicate": "checking", "completed": "done", "rejected": "answered",
        "withdrawn": "withdrawn", "expired": "expired",
    }  # fmt: skip
    return stages.get(duplicates.told_ticket(session, ticket).state, "working")


def prove(context: AppContext, number: uuid.UUID, code: str) -> bool:
    """Whether `code` is that of the form. Wrong ones are counted; after MOST_TRIES none is right any more.

    Nor is one that was never sent: who is right about it has guessed.

    Raises NotFound where the form is too old.
    """
    digits = "".join(c for c in code if c in "0123456789")
    with transaction(context.database) as session:
        form = _open_form(session, number)
        if form.proved_at is not None:
            return True
        may_know = form.tries < MOST_TRIES and form.mail_attempts > 0
        right = may_know and hmac.compare_digest(digits, links.code_of(context.keys, number))
        if right:
            form.proved_at = utc_now()
        else:
            form.tries = min(form.tries + 1, MOST_TRIES)
        return right


def require_proved(context: AppContext, number: uuid.UUID) -> None:
    """Raise NotFound where the form is too old, Conflict where it is filed, or its address not proved."""
    with transaction(context.database) as session:
        _require_fillable(_open_form(session, number))


@dataclass(frozen=True)
class PreparedRequest:
    """A request whose material is checked and sealed, before it is a ticket."""

    form: uuid.UUID
    principal: Principal
    ticket: PreparedTicket


def prepare(
    context: AppContext, settings: FormSettings, number: uuid.UUID, values: Mapping[str, object]
) -> PreparedRequest:
    """Check and seal what was typed. Nothing of it depends on whether the person is known, nor does its time.

    Raises pydantic's ValidationError, and what `intake.seal_material` raises.
    """
    body = TicketCreate.model_validate({**values, "source": PUBLIC_FORM, "external_ref": str(number)})
    principal = Principal(settings.tenant, SYSTEM_ACTOR, (SYSTEM_ACTOR, "officer"))
    require_proved(context, number)
    return PreparedRequest(number, principal, intake.seal_material(context, principal, body))


def file(context: AppContext, settings: FormSettings, prepared: PreparedRequest) -> None:
    """File the request as a ticket that waits for an identity check. Once for each form, however often it is sent.

    A duplicate is in doubt as well: it waits for the check, too, and expires without one. Raises what filing a ticket
    raises, NotReady where too many requests wait.
    """
    number, principal = prepared.form, prepared.principal
    with Drafts(context, [prepared.ticket]) as drafts, sealing.change(context) as session:
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"form {settings.tenant}", 0))))
        form = _open_form(session, number)
        _require_fillable(form)
        if form.sealed is None or form.wrapped_key is None:
            raise NotFound(links.NO_PAGE)
        if _undecided(session, settings.tenant) >= settings.most_waiting:
            raise NotReady(FULL, retry_after_s=600)
        (filed,) = intake.insert_tickets(session, context, principal, [prepared.ticket])
        session.flush()
        ticket = session.get_one(Ticket, filed.ticket.id, with_for_update=True)
        if ticket.state in UNDECIDED:
            doubt = IdentityCheckCreate(outcome="doubted", note=UNPROVED)
            identity_checks.identify(session, principal, ticket, doubt)
        else:
            ticket.identity = "doubted"
        address = context.keys.open(form.sealed, form.wrapped_key, form_key(number)).decode()
        contacts.add(session, context, ticket, {"email": address})
        form.ticket_id, form.sealed, form.wrapped_key, form.mail_next_at = ticket.id, None, None, None
        drafts.filed.add(ticket.id)


def _open_form(session: Session, number: uuid.UUID) -> FormRequest:
    form = session.get(FormRequest, number, with_for_update=True)
    if form is None or (form.ticket_id is None and form.expires_at < utc_now()):
        raise NotFound(links.NO_PAGE)
    return form


def _require_fillable(form: FormRequest) -> None:
    if form.ticket_id is not None:
        raise Conflict("This request is filed already.")
    if form.proved_at is None:
        raise Conflict("Type the code from the e-mail first.")


def form_key(number: uuid.UUID) -> str:
    """What the ciphertext of a form's address is bound to."""
    return f"form/{number}"


def asked_languages(context: AppContext, language: str) -> Sequence[str]:
    """In which languages people ask about whoever filled the form in: the usual ones, and the one of the page."""
    return list(dict.fromkeys([*context.languages, language]))
