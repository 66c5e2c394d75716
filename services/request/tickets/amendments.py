"""Amendments: a ticket's material is corrected before it is decided, or after it failed.

The material is unsealed, changed and sealed anew in another object. Whoever edits a ticket cannot approve it. A failed
ticket goes back to review with its correction, and is fitted again when another person has approved that.
"""

import hashlib

from sqlalchemy.orm import Session

from services.request import context, sealing
from services.request.auth.principals import Principal
from services.request.tickets import intake, legal_holds
from services.request.tickets.schemas import NOBODY, TicketUpdate
from shared.artifacts.payloads import pack_subject, unpack_material
from shared.crypto.keyring import NAME_FORM
from shared.db.models.tickets import Ticket
from shared.db.repositories import tickets
from shared.domain.subjects import Fact
from shared.domain.ticket_lifecycle import UNDECIDED
from shared.errors import BadInput, Conflict
from shared.storage.object_keys import edited_key


def amend(
    session: Session, context: context.AppContext, principal: Principal, ticket: Ticket, body: TicketUpdate
) -> str | None:
    """Replace what `body` gives; return the key of the object that is no longer needed, None where there is none.

    The caller deletes that object when the transaction is committed.

    Raises Conflict where the ticket is decided, unless it failed, and where a failed one must stay forgotten; OnHold
    under a legal hold, BadInput for what cannot be used.
    """
    failed = ticket.state == "failed"
    if failed and ticket.required_since is not None:
        raise Conflict(
            f"{ticket.id} must stay forgotten as it is: without it the person would be exposed. File another ticket "
            "that says more, which is fitted beside it."
        )
    if ticket.state not in UNDECIDED and not failed:
        raise Conflict(f"{ticket.id} is {ticket.state.replace('_', ' ')}: it can no longer be edited.")
    if not body.model_fields_set:
        raise BadInput("Say what is to be changed: names, facts, photos, languages or urgent.")
    if failed and not body.model_fields_set & {"names", "facts", "photos", "languages"}:
        raise BadInput("Say what is to be corrected: names, facts, photos or languages.")
    if failed:
        ticket.decided_by = ticket.decided_at = ticket.ground = ticket.review_reason = None
        tickets.advance(session, ticket, "amend", principal.owner, roles=principal.roles)
        session.flush()  # the database lets nobody replace the material of a ticket that is in force
    replaced = None
    if body.model_fields_set & {"names", "facts", "photos"}:
        legal_holds.ensure_not_held(session, ticket)
        replaced = _reseal(session, context, ticket, body)
    if body.languages is not None:
        ticket.languages = list(body.languages)
    if body.urgent is not None:
        ticket.urgent = body.urgent
    ticket.last_edited_by = principal.owner
    ticket.version += 1
    tickets.record(session, ticket, principal.owner, ", ".join(sorted(body.model_fields_set)), "edited")
    if replaced is not None:
        tickets.reopen_duplicates(session, ticket)
    return replaced


def _reseal(session: Session, context: context.AppContext, ticket: Ticket, body: TicketUpdate) -> str:
    """Seal the changed material in a new object; return the key of the old one."""
    if ticket.payload_wrapped_key is None:
        raise Conflict(f"The material of {ticket.id} was shredded.")
    blob = context.store.get(ticket.payload_key)
    material = unpack_material(context.keys.open(blob, ticket.payload_wrapped_key, ticket.payload_key))
    names, photos, facts = material.names, material.photos, material.facts
    if body.names is not None:
        intake.check_names(body.names, body.languages or ticket.languages)
        names = list(body.names)
    if body.facts is not None:
        intake.check_facts(body.facts)
        facts = [Fact(fact.attribute, fact.value, tuple(fact.aliases)) for fact in body.facts]
    if body.photos is not None:
        photos = [intake.read_photo(number, text) for number, text in enumerate(body.photos, 1)]
    if not names and not photos:
        raise BadInput(NOBODY)
    key = edited_key(ticket.tenant_id, ticket.id, ticket.version + 1)
    sealed = sealing.seal(session, context, ticket.tenant_id, pack_subject(names, photos, facts), key, store=True)
    old, ticket.payload_key = ticket.payload_key, key
    ticket.payload_sha256 = hashlib.sha256(sealed.blob).hexdigest()
    ticket.payload_wrapped_key = sealed.wrapped_key
    ticket.subject_index = [context.keys.blind_index(name) for name in names]
    ticket.name_keys, ticket.name_keys_form = context.keys.name_keys(names), NAME_FORM
    ticket.fact_index = intake.material_index(context, photos, facts)
    ticket.photos, ticket.facts = len(photos), len(facts)
    return old
