"""Who handles a ticket. It is a note for the people at work: it gives nobody a right, and takes none. Knows no HTTP."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.db.models.tenancy import Person
from shared.db.models.tickets import Ticket
from shared.db.repositories import people, tickets
from shared.errors import BadInput

ME: Final = "me"
ROLES: Final = ("officer", "approver", "admin")  # of those who can do something about a ticket


def assignees(session: Session, tenant: str) -> Sequence[Person]:
    """The people whom a ticket can be assigned to, by name."""
    query = select(Person).where(
        Person.tenant_id == tenant, Person.disabled_at.is_(None), Person.roles.overlap(list(ROLES))
    )
    return session.scalars(query.order_by(func.lower(Person.name))).all()


def assign(session: Session, principal: Principal, ticket: Ticket, to: str | None) -> None:
    """Assign the ticket to the person of that name, to whoever asks (`me`), or to nobody.

    Where it is so already, nothing is recorded.

    Raises BadInput for a name of nobody, and for somebody who can do nothing about a ticket.
    """
    name = principal.owner if to == ME else to
    person = _assignee(session, principal.tenant_id, name) if name is not None else None
    if ticket.assigned_to == (person.id if person else None):
        return
    ticket.assigned_to = person.id if person else None
    ticket.version += 1
    kind = "assigned" if person else "unassigned"
    tickets.record(session, ticket, principal.owner, person.name if person else None, kind)


def names_of(session: Session, listed: Iterable[Ticket]) -> dict[UUID, str]:
    """The names of those whom the tickets are assigned to, by id."""
    ids = {ticket.assigned_to for ticket in listed} - {None}
    if not ids:
        return {}
    return {row.id: row.name for row in session.execute(select(Person.id, Person.name).where(Person.id.in_(ids)))}


def _assignee(session: Session, tenant: str, name: str) -> Person:
    person = people.find_by_name(session, tenant, name)
    if person is None:
        raise BadInput(f"Nobody of the name {name} works here.")
    if person.disabled_at is not None:
        raise BadInput(f"The account of {person.name} is disabled.")
    if not set(person.roles) & set(ROLES):
        raise BadInput(f"{person.name} is neither officer nor approver nor administrator, and could do nothing.")
    return person
