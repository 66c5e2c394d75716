"""People who work with Lacuna: whose a name in a record is, and whose a subject of an OpenID provider is."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shared.db.models.tenancy import Person, PersonName, PersonSubject
from shared.db.models.tickets import Ticket, TicketEvent
from shared.domain import four_eyes
from shared.domain.accounts import SYSTEM_ACTOR
from shared.domain.four_eyes import Actor
from shared.errors import NotFound


def actors(session: Session, tenant: str, names: Iterable[str]) -> dict[str, Actor]:
    """Who the names of records are. A name of no person ("clerk") has no id."""
    wanted = set(names)
    query = select(PersonName.name, PersonName.person_id).where(
        PersonName.tenant_id == tenant, PersonName.name.in_(wanted)
    )
    ids: dict[str, UUID] = {row.name: row.person_id for row in session.execute(query)}
    return {name: Actor(name, ids.get(name)) for name in wanted}


Deeds = Sequence[tuple[str, str]]  # what was done, as a verb with its object, and the name of who did it


def require_second_person(session: Session, tenant: str, actor: str, deeds: Deeds, remaining: str) -> None:
    """Raise FourEyes where the person `actor` did one of `deeds`, and thus cannot do what remains."""
    known = actors(session, tenant, [actor, *(name for _, name in deeds)])
    four_eyes.require_second_person(known[actor], [(deed, known[name]) for deed, name in deeds], remaining)


def changes_of_material(session: Session, ticket: Ticket) -> Deeds:
    """Who filed the ticket, and who edited it at any time.

    Where nobody of the operator filed it, whoever verified the identity of the person who asks stands for the filer:
    else one person alone could file a request by a public form and approve it.
    """
    edited = select(TicketEvent.actor).where(TicketEvent.ticket_id == ticket.id, TicketEvent.kind == "edited")
    editors = {ticket.last_edited_by, *session.scalars(edited.distinct())} - {ticket.submitted_by}
    deeds = [(f"filed {ticket.id}", ticket.submitted_by), *((f"edited {ticket.id}", name) for name in sorted(editors))]
    if ticket.submitted_by == SYSTEM_ACTOR and ticket.identity_by is not None:
        deeds.append((f"verified the identity of {ticket.id}", ticket.identity_by))
    return deeds


def get_person(session: Session, tenant: str, person_id: UUID, *, lock: bool = False) -> Person:
    """The tenant's person. With `lock`, nobody else can change it until the transaction ends. Raises NotFound."""
    query = select(Person).where(Person.tenant_id == tenant, Person.id == person_id)
    person = session.scalar(query.with_for_update() if lock else query)
    if person is None:
        raise NotFound("There is no such person.")
    return person


def find_by_name(session: Session, tenant: str, name: str) -> Person | None:
    """The person whose a name is, in any spelling that a record has."""
    return session.scalar(
        select(Person)
        .join(PersonName, PersonName.person_id == Person.id)
        .where(PersonName.tenant_id == tenant, PersonName.name == name)
    )


def find_by_subject(session: Session, issuer: str, subject: str) -> Person | None:
    """The person whose tokens of `issuer` have this subject. Where two tenants gave it, the first one counts.

    A subject that was seen before people were rows has no issuer yet: it gets the first one that vouches for it.
    """
    query = select(Person).join(PersonSubject, PersonSubject.person_id == Person.id).order_by(PersonSubject.given_at)
    person = session.scalar(query.where(PersonSubject.issuer == issuer, PersonSubject.subject == subject))
    if person is None:
        earlier = (PersonSubject.issuer == "", PersonSubject.subject == subject)
        person = session.scalar(query.where(*earlier))
        if person is not None:
            session.execute(update(PersonSubject).where(*earlier).values(issuer=issuer))
    return person
