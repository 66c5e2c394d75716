"""What the approver sees of what is decided: each name is confirmed, or the sealed material is looked at beforehand.

An approver is told how many names, photographs and facts a ticket has, and no name. To approve it, the approver gives
every name, which is held against the blind index, or has looked at the material as it is now, with a reason that stands
in the history and a leaf in the log.
"""

import base64

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.audit_kits.responses import fact_response
from services.request.auth.principals import Principal
from services.request.context import AppContext
from services.request.tickets.responses import MaterialResponse
from shared.artifacts.payloads import unpack_material
from shared.core.clock import utc_now
from shared.db.models.tickets import MaterialCheck, Ticket, TicketEvent
from shared.db.repositories import audit_log, people
from shared.domain.four_eyes import Actor, is_same_person
from shared.domain.ticket_lifecycle import UNDECIDED
from shared.errors import Conflict, MaterialUnseen


def show(session: Session, context: AppContext, principal: Principal, ticket: Ticket, reason: str) -> MaterialResponse:
    """Show the sealed material to an approver, before the decision and after a failure.

    Raises Conflict where it was shredded, or the ticket is decided and has not failed.
    """
    if ticket.state not in (*UNDECIDED, "failed"):
        raise Conflict(
            f"{ticket.id} is {ticket.state.replace('_', ' ')}: its material is shown before the decision, and where a "
            "ticket has failed."
        )
    if ticket.payload_wrapped_key is None:
        raise Conflict(f"The material of {ticket.id} was shredded.")
    sealed = context.store.get(ticket.payload_key)
    material = unpack_material(context.keys.open(sealed, ticket.payload_wrapped_key, ticket.payload_key))
    _record(session, principal, ticket, "shown", reason)
    session.add(
        TicketEvent(
            ticket_id=ticket.id,
            at=utc_now(),
            actor=principal.owner,
            state=ticket.state,
            note=reason,
            kind="material.shown",
        )
    )
    detail = {"version": ticket.version, "sha256": ticket.payload_sha256, "reason": reason}
    audit_log.append_leaf(session, principal.owner, "ticket.material.shown", ticket.id, detail)
    return MaterialResponse(
        ticket=ticket.id,
        names=material.names,
        facts=[fact_response(fact) for fact in material.facts],
        photos=[f"data:image/png;base64,{base64.b64encode(photo).decode()}" for photo in material.photos],
    )


def require_seen(session: Session, context: AppContext, principal: Principal, ticket: Ticket, names: list[str]) -> None:
    """Raise MaterialUnseen unless `names` are all names of the ticket, or the principal has looked at its material.

    A ticket without names takes the look.
    """
    if not ticket.subject_index and not _has_looked(session, principal, ticket):
        raise MaterialUnseen(f"{ticket.id} has no name that could be given: look at its photographs first.")
    if names and ticket.subject_index:
        given, held = {context.keys.blind_index(name) for name in names}, set(ticket.subject_index)
        if given != held:
            raise MaterialUnseen(
                f"{len(given & held)} of the {len(held)} names of {ticket.id} are given, and {len(given - held)} "
                "others: give each of its names, or look at its material first."
            )
        _record(session, principal, ticket, "names", None)
    elif not _has_looked(session, principal, ticket):
        raise MaterialUnseen(
            f"{ticket.id} has {len(ticket.subject_index)} names and {ticket.photos} photographs: give each of its "
            "names, or look at its material first."
        )


def _has_looked(session: Session, principal: Principal, ticket: Ticket) -> bool:
    """Whether the principal's person was shown the material as it is now."""
    looks = select(MaterialCheck.actor).where(
        MaterialCheck.ticket_id == ticket.id,
        MaterialCheck.payload_sha256 == ticket.payload_sha256,
        MaterialCheck.method == "shown",
    )
    names = set(session.scalars(looks))
    principal_actor = Actor(principal.owner, principal.person_id)
    viewers = people.actors(session, ticket.tenant_id, names) if names else {}
    return any(is_same_person(principal_actor, viewer) for viewer in viewers.values())


def _record(session: Session, principal: Principal, ticket: Ticket, method: str, reason: str | None) -> None:
    session.add(
        MaterialCheck(
            ticket_id=ticket.id,
            payload_sha256=ticket.payload_sha256,
            method=method,
            actor=principal.owner,
            reason=reason,
            at=utc_now(),
        )
    )
