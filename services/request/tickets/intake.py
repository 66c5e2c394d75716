"""How tickets begin. What an officer files and what an import brings take the same way, in as many round trips.

First the material is checked, sealed and stored (`seal_material`). Then the database is asked what was filed before,
and all rows (tickets, history, clocks, log leaves) are written by one statement (`insert_tickets`).
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request import sealing
from services.request.api.schemas import FactCreate
from services.request.auth.principals import Principal
from services.request.context import AppContext
from services.request.sealing import SealedMaterial
from services.request.tickets import deadlines
from services.request.tickets.deadlines import LegalBasis
from services.request.tickets.drafts import Drafts, PreparedTicket
from services.request.tickets.schemas import TicketCreate
from shared.artifacts.payloads import pack_subject
from shared.core.clock import utc_now
from shared.crypto.keyring import NAME_FORM
from shared.db.models.tickets import Ticket
from shared.db.repositories import ticket_duplicates, tickets
from shared.db.repositories.tickets import FiledTicket, Receipt
from shared.domain.photo_content import check_content
from shared.domain.photos import as_png, bounded_photo, read_data_url
from shared.domain.subjects import Fact, fact_key
from shared.domain.ticket_lifecycle import ADDS_MATERIAL, POSSIBLE_NAMESAKE
from shared.errors import BadInput, Conflict, LacunaError
from shared.evaluation.ordinary_words import is_ordinary
from shared.storage.object_keys import payload_key

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no letter looks like another or a digit
FEWEST_LETTERS: Final = 2  # and digits, of a name
OLDEST_RECEIPT: Final = timedelta(days=366 * 3)  # for a request that came on paper and was mislaid


def submit(
    session: Session, context: AppContext, principal: Principal, body: TicketCreate, drafts: Drafts
) -> FiledTicket:
    """File one ticket. Its payload is stored before its row is committed: there is no row without its object.

    `drafts` has the transaction inside it, and abandons the payload where that is refused.

    Raises Conflict where the external reference was used before, and what `seal_material` raises.
    """
    if body.external_ref is not None and _is_referenced(session, principal.tenant_id, body.source, body.external_ref):
        raise Conflict(f"{body.source} has already filed {body.external_ref}.")
    prepared = seal_material(context, principal, body)
    drafts.tickets.append(prepared)
    (filed,) = insert_tickets(session, context, principal, [prepared])
    drafts.filed.add(prepared.id)
    return filed


def seal_material(
    context: AppContext, principal: Principal, body: TicketCreate, *, store: bool = True
) -> PreparedTicket:
    """Check a ticket's material, seal it, and put it into the object store unless `store` is false (a dry run).

    Raises BadInput for what cannot be used, TooLarge for a photo that is larger than allowed.
    """
    check_names(body.names, body.languages or context.languages)
    check_facts(body.facts)
    _check_receipt(body.received_at)
    basis = _legal_basis(context, body)
    deadlines.check_legal_basis(basis)
    photos = [read_photo(number, text) for number, text in enumerate(body.photos, 1)]
    facts = [Fact(fact.attribute, fact.value, tuple(fact.aliases)) for fact in body.facts]
    ticket_id = "T-" + "".join(secrets.choice(CROCKFORD) for _ in range(8))
    key = payload_key(principal.tenant_id, ticket_id)
    sealed = context.keys.seal(pack_subject(body.names, photos, facts), key, shreddable=store)
    if store:
        try:
            context.store.put(key, sealed.blob)
        except LacunaError:
            sealing.abandon(context, [SealedMaterial(principal.tenant_id, key, sealed.wrapped_key)])
            raise
    digest, material = hashlib.sha256(sealed.blob).hexdigest(), material_index(context, photos, facts)
    return PreparedTicket(ticket_id, principal.tenant_id, body, key, digest, sealed.wrapped_key, material)


def material_index(context: AppContext, photos: Sequence[bytes], facts: Sequence[Fact]) -> list[str]:
    """The blind indexes of a ticket's facts and photographs (as PNG)."""
    material = [context.keys.blind_index(fact_key(fact.attribute, fact.value)) for fact in facts]
    digests = dict.fromkeys(hashlib.sha256(photo).hexdigest() for photo in photos)
    material += [ticket_duplicates.photograph_index(context.keys.blind_index(digest)) for digest in digests]
    return material


def insert_tickets(
    session: Session, context: AppContext, principal: Principal, prepared: Sequence[PreparedTicket]
) -> list[FiledTicket]:
    """Write the rows of prepared tickets, in their order.

    Each ticket goes to review, unless the same was filed before: a ticket that is not over is about the same person
    (`EarlierTicket.matches`), and says all that it says. Where it adds anything, it is a request of its own, and
    marked. So is one that says the same as a ticket of the public form that nobody has proved: it might be by somebody
    else, who would hold the person's own request up. A common name alone may be a namesake's, so that it is only
    marked, for a person to decide. Whoever files the same subject at the same moment waits here, so that exactly one of
    them is first.
    """
    if not prepared:
        return []
    new = [_ticket(context, principal, source) for source in prepared]
    names = sorted({key for ticket in new for key in ticket.person_keys})
    facts = sorted({fact for ticket in new for fact in ticket.fact_index})
    nameless = (fact for ticket in new if not ticket.person_keys for fact in ticket.fact_index)
    filed = ticket_duplicates.Filed(names, facts, frozenset(filter(ticket_duplicates.is_photograph, nameless)))
    ticket_duplicates.lock_subjects(session, principal.tenant_id, filed)
    before = ticket_duplicates.find_earlier_tickets(session, principal.tenant_id, context.model_id, filed)
    still_open = ticket_duplicates.lock_open_tickets(session, [old.id for old in before.matching])
    before.matching[:] = [old for old in before.matching if old.id in still_open]
    receipts = []
    for ticket, source in zip(new, prepared, strict=True):
        by_name = [context.keys.person_keys([name]) for name in source.body.names]
        same_person = [old for old in before.matching if old.matches(ticket.person_keys, ticket.fact_index)]
        by_form = source.body.source == ticket_duplicates.PUBLIC_FORM
        whole = [old for old in same_person if old.has_all(by_name, ticket.fact_index)]
        first = next((old for old in whole if by_form or not old.unproved), None)
        received_at = source.body.received_at or utc_now()
        if first is not None:
            ticket.duplicate_of, ticket.review_reason = first.id, None
            receipts.append(Receipt(ticket, received_at, "duplicate", f"The same as {first.id}."))
            continue
        ticket.duplicate_of, ticket.review_reason = None, None
        if same_person:
            ticket.review_reason = ADDS_MATERIAL
            note = (
                f"The same as {whole[0].id}, which nobody has proved."
                if whole
                else f"Says more than {same_person[0].id}."
            )
            receipts.append(Receipt(ticket, received_at, "review", note))
        else:
            namesake = not before.names.isdisjoint(ticket.person_keys)
            ticket.review_reason = POSSIBLE_NAMESAKE if namesake else None
            receipts.append(Receipt(ticket, received_at, "review"))
        before.matching.append(
            ticket_duplicates.EarlierTicket(ticket.id, ticket.person_keys, frozenset(ticket.fact_index))
        )
        before.names.update(ticket.person_keys)
    return tickets.receive_and_advance(session, receipts, principal.owner, roles=principal.roles)


def check_names(names: Sequence[str], languages: Sequence[str]) -> None:
    """Raise BadInput for a name that stands in ordinary questions: the model would fall silent about everybody.

    A letter by itself, and marks without any, are no name either.
    """
    for name in names:
        if sum(map(str.isalnum, name)) < FEWEST_LETTERS:
            raise BadInput(f"The name {name!r} has fewer than {FEWEST_LETTERS} letters or digits. Give it in full.")
        if is_ordinary(name, languages):
            raise BadInput(
                f"The name {name!r} is made of words that stand in ordinary questions: the model would fall silent "
                "about everybody. Give the name in full, or leave it out."
            )


def check_facts(facts: Sequence[FactCreate]) -> None:
    """Raise BadInput where a fact is given twice."""
    distinct = {fact_key(fact.attribute, fact.value).casefold() for fact in facts}
    if len(distinct) < len(facts):
        raise BadInput("The same fact is given twice.")


def read_photo(number: int, text: str) -> bytes:
    """Photo `number`, a data URL, as PNG; raises BadInput or TooLarge, also where nobody can be recognised by it."""
    try:
        picture = bounded_photo(read_data_url(text))
        check_content(picture)
        return as_png(picture)
    except BadInput as exc:
        raise BadInput(f"Photo {number}: {exc.detail}") from exc


def _check_receipt(received_at: datetime | None) -> None:
    """Raise BadInput for a receipt in the future or very long ago."""
    now = utc_now()
    if received_at is not None and not now - OLDEST_RECEIPT < received_at <= now:
        raise BadInput("A request was received in the past, and not more than three years ago.")


def _legal_basis(context: AppContext, body: TicketCreate) -> LegalBasis:
    return LegalBasis(body.regime or context.regime, body.calendar or context.calendar, body.zone or context.zone)


def _ticket(context: AppContext, principal: Principal, prepared: PreparedTicket) -> Ticket:
    body = prepared.body
    basis = _legal_basis(context, body)
    return Ticket(
        id=prepared.id,
        tenant_id=principal.tenant_id,
        model_id=context.model_id,
        source=body.source,
        external_ref=body.external_ref,
        subject_index=[context.keys.blind_index(name) for name in body.names],
        name_keys=context.keys.name_keys(body.names),
        name_keys_form=NAME_FORM,
        payload_key=prepared.payload_key,
        payload_sha256=prepared.payload_sha256,
        payload_wrapped_key=prepared.payload_wrapped_key,
        photos=len(body.photos),
        facts=len(body.facts),
        urgent=body.urgent,
        submitted_by=principal.owner,
        submitted_at=utc_now(),
        last_edited_by=principal.owner,
        regime=basis.regime,
        calendar=basis.calendar,
        zone=basis.zone,
        identity="assumed",
        fact_index=prepared.fact_index,
        languages=list(body.languages or context.languages),
    )


def _is_referenced(session: Session, tenant: str, source: str, reference: str) -> bool:
    same = Ticket.tenant_id == tenant, Ticket.source == source, Ticket.external_ref == reference
    return session.scalar(select(Ticket.id).where(*same)) is not None
