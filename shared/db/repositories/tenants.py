"""The set-up of a tenant: its first people with their keys, the one moment at which nobody has to confirm them.

It happens once, stands in the tenant's log, and the database refuses it afterwards.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.tenancy import ApiKey, Person, Tenant
from shared.db.repositories import audit_log
from shared.domain.person_names import check_name
from shared.text.skeletons import skeleton


@dataclass(frozen=True)
class FirstAccount:
    """One of the first people of a tenant, who gets a key with all roles."""

    name: str
    roles: tuple[str, ...]
    key_sha256: str


def set_up(session: Session, tenant_id: str, accounts: Sequence[FirstAccount], by: str) -> None:
    """Add the first people of a tenant, as `by` said. The caller has made sure that it has none."""
    people = []
    for account in accounts:
        person = Person(
            id=uuid.uuid4(),
            tenant_id=tenant_id,
            name=check_name(account.name),
            skeleton=skeleton(account.name),
            roles=list(account.roles),
            created_at=utc_now(),
        )
        session.add(person)
        session.flush()
        session.add(
            ApiKey(
                id=uuid.uuid4(),
                tenant_id=tenant_id,
                owner=account.name,
                person_id=person.id,
                key_sha256=account.key_sha256,
                roles=list(account.roles),
                created_at=utc_now(),
            )
        )
        people.append({"owner": account.name, "person": str(person.id), "roles": list(account.roles)})
    session.flush()
    session.get_one(Tenant, tenant_id).set_up_at = utc_now()
    audit_log.append_leaf(session, by, "tenant.set_up", tenant_id, {"people": people}, tenant=tenant_id)


def name_elsewhere(tenant: str, name: str) -> str:
    """How the log of another tenant calls a person: no name of a person has a slash."""
    return f"{tenant}/{name}"
