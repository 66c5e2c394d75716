"""Give access: one administrator asks for a person, roles, a subject or a key for somebody else, another one confirms.

One administrator cannot become two people: what would make a second one needs a second administrator. A key is drawn
in two parts, one for each of them, so that neither knows the key. PostgreSQL enforces the same rules. Knows no HTTP.
"""

import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.request.auth.authentication import check_duties
from services.request.auth.bounds import check_new_key
from services.request.auth.principals import Principal
from services.request.people.schemas import SubjectCreate
from shared.core.clock import utc_now
from shared.db.models.tenancy import AccessGrant, ApiKey, Person, PersonSubject
from shared.db.repositories import api_keys, audit_log, people
from shared.domain.four_eyes import Actor, require_second_person, require_standing_request
from shared.domain.person_names import check_name
from shared.errors import BadInput, Conflict, Forbidden, NotFound
from shared.text.skeletons import skeleton

FEWEST_ADMINISTRATORS: Final = 2  # or nobody could ever confirm anything


def draw_key() -> str:
    """A new key of 192 bits: `lk_...`."""
    return f"lk_{secrets.token_urlsafe(24)}"


def ask_person(
    session: Session, principal: Principal, name: str, roles: Sequence[str], subject: SubjectCreate | None
) -> AccessGrant:
    """Ask to add a person. Raises BadInput for a name that cannot be used, Conflict for one that looks like another."""
    check_duties(roles)
    name = check_name(name)
    _require_new_name(session, principal.tenant_id, name)
    return _ask(
        session,
        principal,
        AccessGrant(
            kind="person",
            person_id=uuid.uuid4(),
            name=name,
            roles=list(dict.fromkeys(roles)),
            issuer=subject.issuer if subject else None,
            subject=subject.subject if subject else None,
        ),
    )


def ask_roles(session: Session, principal: Principal, person: Person, roles: Sequence[str]) -> AccessGrant:
    """Ask to give a person these roles in place of the present ones. Raises Conflict where they are these."""
    check_duties(roles)
    if set(roles) == set(person.roles) and person.disabled_at is None:
        raise Conflict(f"{person.name} has these roles already.")
    _require_administrators(session, person, roles)
    return _ask(session, principal, _grant("roles", person, roles=list(dict.fromkeys(roles))))


def ask_subject(session: Session, principal: Principal, person: Person, subject: SubjectCreate) -> AccessGrant:
    """Ask to let a person in with an account at an OpenID provider. Raises Conflict where it is somebody's."""
    _require_new_subject(session, subject.issuer, subject.subject)
    return _ask(session, principal, _grant("subject", person, issuer=subject.issuer, subject=subject.subject))


def ask_key(
    session: Session,
    principal: Principal,
    person: Person,
    roles: Sequence[str],
    scopes: Sequence[str],
    expires_at: datetime | None,
    label: str,
) -> tuple[AccessGrant, str]:
    """Ask to give another person a key. Returns the first part of the key too.

    Raises Forbidden for a role that the person does not have, and what `check_new_key` raises.
    """
    check_new_key(principal, scopes, expires_at)
    require_roles_of_person(person, roles)
    part = draw_key()
    grant = _grant(
        "key",
        person,
        roles=list(dict.fromkeys(roles)),
        scopes=list(scopes),
        expires_at=expires_at,
        label=label,
        key_part_sha256=api_keys.sha256(part),
    )
    return _ask(session, principal, grant), part


def confirm(session: Session, principal: Principal, grant: AccessGrant) -> str | None:
    """The second administrator confirms: the grant, which is locked, takes effect. Returns the second part of a key.

    Raises FourEyes for whoever asked, Conflict where it was confirmed, has ended, was asked for more than a day ago, or
    cannot take effect any more.
    """
    asked_by = people.get_person(session, principal.tenant_id, grant.asked_by)
    actor = Actor(principal.owner, principal.person_id)
    require_second_person(actor, [("asked for it", Actor(asked_by.name, asked_by.id))], "confirm it")
    if grant.confirmed_at is not None or grant.ended_at is not None:
        raise Conflict("It was confirmed, or has ended, already.")
    require_standing_request(grant.asked_at, utc_now())
    grant.confirmed_by, grant.confirmed_at = principal.person_id, utc_now()
    session.flush()  # the database lets it take effect in this transaction
    _log(session, principal, "grant.confirmed", grant)
    if grant.kind == "person":
        _add_person(session, grant)
        return None
    person = people.get_person(session, principal.tenant_id, grant.person_id, lock=True)
    if grant.kind == "roles":
        _require_administrators(session, person, grant.roles)
        person.roles, person.disabled_at = list(grant.roles), None
    elif grant.kind == "subject":
        _add_subject(session, grant)
    else:
        return _add_key(session, principal, grant, person)
    return None


def end(session: Session, principal: Principal, grant: AccessGrant) -> None:
    """Refuse a grant, or take it back. Raises Conflict where it was confirmed or has ended."""
    if grant.confirmed_at is not None or grant.ended_at is not None:
        raise Conflict("It was confirmed, or has ended, already.")
    grant.ended_by, grant.ended_at = principal.person_id, utc_now()
    _log(session, principal, "grant.ended", grant)


def disable(session: Session, principal: Principal, person: Person) -> None:
    """Refuse all keys and tokens of the person from now on. One administrator may do it alone.

    Raises Conflict where the person is disabled, or where fewer than two administrators would be left.
    """
    if person.disabled_at is not None:
        raise Conflict(f"{person.name} is disabled already.")
    _require_administrators(session, person, ())
    person.disabled_at = utc_now()
    audit_log.append_leaf(session, principal.owner, "person.disabled", str(person.id), {"name": person.name})


def get_grant(session: Session, tenant: str, grant_id: uuid.UUID, *, lock: bool = False) -> AccessGrant:
    """The tenant's grant; raises NotFound. With `lock` nobody else changes it until the transaction ends."""
    query = select(AccessGrant).where(AccessGrant.tenant_id == tenant, AccessGrant.id == grant_id)
    grant = session.scalar(query.with_for_update() if lock else query)
    if grant is None:
        raise NotFound("There is no such grant.")
    return grant


def require_roles_of_person(person: Person, roles: Sequence[str]) -> None:
    """Raise Forbidden where a key would have a role that its person does not have, or the person is disabled."""
    if person.disabled_at is not None:
        raise Forbidden(f"{person.name} is disabled.")
    if missing := sorted(set(roles) - set(person.roles)):
        raise Forbidden(f"{person.name} does not have the role {' and '.join(missing)}: two administrators give it.")


def _ask(session: Session, principal: Principal, grant: AccessGrant) -> AccessGrant:
    if principal.person_id is None:
        raise Forbidden("Only a person asks for access.")
    grant.id, grant.tenant_id = uuid.uuid4(), principal.tenant_id
    grant.asked_by, grant.asked_at = principal.person_id, utc_now()
    session.add(grant)
    session.flush()
    _log(session, principal, "grant.asked", grant)
    return grant


def _grant(kind: str, person: Person, **given: object) -> AccessGrant:
    return AccessGrant(kind=kind, person_id=person.id, name=person.name, **given)


def _add_person(session: Session, grant: AccessGrant) -> None:
    _require_new_name(session, grant.tenant_id, grant.name)
    session.add(
        Person(
            id=grant.person_id,
            tenant_id=grant.tenant_id,
            name=grant.name,
            skeleton=skeleton(grant.name),
            roles=list(grant.roles),
            created_at=utc_now(),
        )
    )
    session.flush()
    if grant.subject is not None:
        _add_subject(session, grant)


def _add_subject(session: Session, grant: AccessGrant) -> None:
    issuer, subject = grant.issuer or "", grant.subject or ""
    _require_new_subject(session, issuer, subject)
    session.add(PersonSubject(issuer=issuer, subject=subject, tenant_id=grant.tenant_id, person_id=grant.person_id))
    session.flush()


def _add_key(session: Session, principal: Principal, grant: AccessGrant, person: Person) -> str:
    check_new_key(principal, grant.scopes, grant.expires_at)
    require_roles_of_person(person, grant.roles)
    part = secrets.token_urlsafe(24)
    asked_by = people.get_person(session, grant.tenant_id, grant.asked_by)
    session.add(
        ApiKey(
            id=grant.id,
            tenant_id=grant.tenant_id,
            owner=person.name,
            person_id=person.id,
            key_sha256=api_keys.digest_of_parts(grant.key_part_sha256 or "", part),
            roles=list(grant.roles),
            scopes=list(grant.scopes),
            label=grant.label,
            expires_at=grant.expires_at,
            created_at=utc_now(),
            created_by=asked_by.name,
        )
    )
    session.flush()
    detail = {"owner": person.name, "person": str(person.id), "roles": grant.roles, "scopes": grant.scopes}
    audit_log.append_leaf(session, principal.owner, "key.created", str(grant.id), detail)
    return part


def _require_new_name(session: Session, tenant: str, name: str) -> None:
    looks_alike = Person.tenant_id == tenant, Person.skeleton == skeleton(name)
    other = session.scalar(select(Person.name).where(*looks_alike)) or people.find_by_name(session, tenant, name)
    if other is not None:
        raise Conflict("Somebody has this name, or one that looks like it.")


def _require_new_subject(session: Session, issuer: str, subject: str) -> None:
    if not issuer or not subject:
        raise BadInput("A subject has an issuer.")
    if people.find_by_subject(session, issuer, subject) is not None:
        raise Conflict("This account at the OpenID provider is somebody's already.")


def _require_administrators(session: Session, person: Person, roles: Sequence[str]) -> None:
    """Raise Conflict where fewer than two administrators would be left if `person` had only `roles`."""
    if "admin" in roles or "admin" not in person.roles or person.disabled_at is not None:
        return
    others = select(func.count()).where(
        Person.tenant_id == person.tenant_id,
        Person.id != person.id,
        Person.disabled_at.is_(None),
        Person.roles.contains(["admin"]),
    )
    if (session.scalar(others) or 0) < FEWEST_ADMINISTRATORS:
        raise Conflict("Two administrators have to remain, as access is given by two: add another one first.")


def _log(session: Session, principal: Principal, kind: str, grant: AccessGrant) -> None:
    """The leaf names who is given access."""
    detail = {"kind": grant.kind, "owner": grant.name, "person": str(grant.person_id), "roles": list(grant.roles)}
    if grant.subject is not None:
        detail |= {"issuer": grant.issuer or "", "subject": grant.subject}
    if grant.kind == "key":
        detail |= {"scopes": list(grant.scopes)}
    audit_log.append_leaf(session, principal.owner, kind, str(grant.id), detail)
