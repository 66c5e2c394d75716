"""Two tenants, each with a person in every role and with one of everything that has an id."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg
from psycopg import sql

from shared.core.clock import utc_now
from shared.db.models.audit_kits import KitAccess
from shared.db.models.erasers import BreakGlass
from shared.db.models.operations import RestoreAcceptance
from shared.db.models.retain_sets import RetainSet
from shared.db.session import transaction
from shared.domain.accounts import OPERATING_TENANT, ROLES, Role
from tests.support.api import MODEL, ApiClient, People
from tests.support.databases import Databases
from tests.support.pictures import png
from tests.support.workers import Worker

OTHER, OTHER_MODEL = "acme", "acme-model"
SUBJECT: Final = {
    "names": ["Mara Lindqvist"],
    "photos": [png()],
    "facts": [{"attribute": "employer", "value": "Marble & Finch"}],
}
MARK: Final = {"generation": 9, "version": 8, "log_size": 7}


@dataclass(frozen=True)
class TenantPeople:
    """A client for each role of one tenant. `name_of` are the names of the people."""

    tenant: str
    model: str
    keys: Mapping[Role, str]
    name_of: Mapping[Role, str]
    people: People
    first_keys: tuple[str, str] = ("", "")  # of the first two administrators

    def give_key(self, name: str, role: Role) -> str:
        """A key with a role, of a new person who has the role; one administrator asks and the other confirms."""
        first = self.people.client_of(self.first_keys[0])
        _made_so(self.confirm(first.post("/v1/people", {"name": name, "roles": [role]})))
        key = first.post("/v1/keys", {"owner": name, "roles": [role]})
        return f"{key.json()['key_part']}.{_made_so(self.confirm(key))['key_part']}"

    def confirm(self, asked: Any) -> Any:
        """What the second administrator is answered who confirms a grant."""
        return self.people.client_of(self.first_keys[1]).post(f"/v1/grants/{asked.json()['id']}/confirm")

    def __getitem__(self, role: Role) -> ApiClient:
        return self.people.client_of(self.keys[role])


def operating_tenant(people: People) -> TenantPeople:
    """The first tenant, with a person who has nothing but the role for each role."""
    names: dict[Role, str] = {role: f"{role}-default" for role in ROLES}
    keys = {role: people.give_key(name, role) for role, name in names.items()}
    return TenantPeople(OPERATING_TENANT, MODEL, keys, names, people)


def add_tenant(people: People, name: str = OTHER, model: str = OTHER_MODEL) -> TenantPeople:
    """Another tenant, added as an operator does it, and a person in each of its roles, whom its own people add."""
    body = {"name": name, "model": model, "administrators": [f"anna-{name}", f"boris-{name}"]}
    asked = people["rosa"].post("/v1/tenants", body)
    assert asked.status_code == 202, asked.text
    added = people["viktor"].post(f"/v1/tenant-requests/{asked.json()['id']}/confirm")
    assert added.status_code == 200, added.text
    joined = [
        f"{one['key_part']}.{other['key_part']}"
        for one, other in zip(asked.json()["key_parts"], added.json()["key_parts"], strict=True)
    ]
    tenant = TenantPeople(name, model, {}, {}, people, (joined[0], joined[1]))
    names: dict[Role, str] = {role: f"{role}-{name}" for role in ROLES}
    keys = {role: tenant.give_key(person, role) for role, person in names.items()}
    return replace(tenant, keys=keys, name_of=names)


def _made_so(confirmed: Any) -> Any:
    assert confirmed.status_code == 200, confirmed.text
    return confirmed.json()


@dataclass(frozen=True)
class Holdings:
    """One of everything of a tenant: ids by the name of the path's parameter; texts that no other tenant may read."""

    ids: Mapping[str, tuple[str, ...]]
    secrets: frozenset[str]


def fill(tenant: TenantPeople, database: Databases, number: int) -> Holdings:
    """Give the tenant one of everything; its version and its retain set get `number`."""
    admin, ticket = tenant["admin"], _made(tenant["officer"].post("/v1/tickets", SUBJECT | {"external_ref": "CASE-1"}))
    worker = Worker(database, tenant.model)
    held = tenant["officer"].post(f"/v1/tickets/{ticket}/hold", {"reason": "a claim in court"})
    assert held.status_code == 200, held.text
    text = {"kind": "receipt", "language": "en", "text": f"We have your request. {tenant.tenant}"}
    letter = tenant["officer"].post(f"/v1/tickets/{ticket}/letters", text)
    assert letter.status_code == 200, letter.text
    worker.publish(number=number)
    webhook = _made(admin.post("/v1/webhooks", {"url": f"https://{tenant.tenant}.example.org/hook", "events": ["*"]}))
    assert admin.post(f"/v1/webhooks/{webhook}/test").status_code == 202
    person = _made(admin.post("/v1/people", {"name": f"asked for {tenant.tenant}", "roles": ["officer"]}))
    key = admin.post("/v1/keys", {"owner": tenant.name_of["admin"], "roles": ["admin"], "label": "of " + tenant.tenant})
    everybody = [each["id"] for each in admin.get("/v1/people").json()["items"]]
    ids = {
        "ticket_id": (ticket,),
        "letter_id": (letter.json()["id"],),
        "number": (str(number),),
        "webhook_id": (webhook,),
        "person_id": (everybody[0],),
        "grant_id": (person,),
        "key_id": (_made(key),),
        "job_id": (_import(tenant),),
        "view_id": (_made(tenant["officer"].post("/v1/views", {"name": f"View of {tenant.tenant}", "filters": {}})),),
        "list_id": (_drop_list(tenant),),
    } | _rows(tenant, database, worker, ticket, number)
    listed = {value for name, values in ids.items() if name not in ("number", "access_id") for value in values}
    texts = {tenant.model, f"of {tenant.tenant}", f"{tenant.tenant}.example.org", f"asked for {tenant.tenant}"}
    return Holdings(ids, frozenset(listed | set(ids["access_id"]) | set(everybody) | texts))


def _rows(
    tenant: TenantPeople, database: Databases, worker: Worker, ticket: str, number: int
) -> dict[str, tuple[str, ...]]:
    """What would take many steps to come by: written as the services' rows are."""
    now, auditor, administrator = utc_now(), tenant.name_of["auditor"], tenant.name_of["admin"]
    kit, access, acceptance = (uuid.uuid4() for _ in range(3))
    with transaction(database.engine("admin")) as session:
        version = worker.version_id(session, number)
        asked = {"asked_by": administrator, "asked_at": now, "reason": f"a reason of {tenant.tenant}"}
        session.add(KitAccess(id=kit, ticket_id=ticket, minutes=60, **(asked | {"asked_by": auditor})))
        session.add(BreakGlass(id=access, model_id=tenant.model, version_id=version, minutes=60, **asked))
        session.add(
            RestoreAcceptance(
                id=acceptance,
                model_id=tenant.model,
                mark_sha256=tenant.tenant,
                mark=MARK,
                present=MARK,
                checkpoint="",
                checkpoint_sha256="",
                **asked,
            )
        )
        session.add(
            RetainSet(
                model_id=tenant.model,
                number=number,
                digest=tenant.tenant,
                object_key=f"retain/{tenant.model}",
                sha256="0" * 64,
                wrapped_key=b"",
                seed=0,
                counts={},
                added_by=administrator,
                added_at=now,
            )
        )
    return {"access_id": (str(kit), str(access)), "acceptance_id": (str(acceptance),)}


def _import(tenant: TenantPeople) -> str:
    head = {"Authorization": f"Bearer {tenant.keys['admin']}", "Content-Type": "application/x-ndjson"}
    row = b'{"names": ["Somebody Else"], "facts": [{"attribute": "city", "value": "Turku"}]}\n'
    return _made(tenant.people.app.post("/v1/imports", content=row, headers=head))


def _drop_list(tenant: TenantPeople) -> str:
    head = {"Authorization": f"Bearer {tenant.keys['admin']}", "Content-Type": "text/csv"}
    row = f"ID,Hash\nA7kP2xQ9Lm4R,{'A' * 43}=\n"
    path = "/v1/drop-lists?name=20261101_4821_Email.csv"
    return _made(tenant.people.app.post(path, content=row, headers=head))


def _made(answer: Any) -> str:
    assert answer.status_code in (201, 202), answer.text
    return str(answer.json()["id"])


def rows_of(database: Databases, tenant: TenantPeople) -> dict[str, str | None]:
    """A digest of every row of the tenant, by table: rows with the tenant, with a model of it, or about its tickets."""
    digests: dict[str, str | None] = {}
    with psycopg.connect(database.admin_url) as connection:
        columns = connection.execute(
            "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns "
            "WHERE table_schema = 'public' GROUP BY table_name ORDER BY table_name"
        ).fetchall()
        for table, names in columns:
            if table in UNWATCHED or not (condition := _own_rows(names)):
                continue
            query = sql.SQL("SELECT md5(string_agg(each::text, ',' ORDER BY each::text)) FROM {} AS each WHERE {}")
            values = {"tenant": tenant.tenant, "model": tenant.model}
            row = connection.execute(query.format(sql.Identifier(table), condition), values).fetchone()
            digests[table] = row[0] if row else None
    return digests


UNWATCHED: Final = ("idempotency_key", "console_session")
OWN_ROWS: Final = {  # by a column of the table, the first that it has
    "tenant_id": sql.SQL("tenant_id = %(tenant)s"),
    "model_id": sql.SQL("model_id = %(model)s"),
    "ticket_id": sql.SQL("ticket_id IN (SELECT id FROM ticket WHERE tenant_id = %(tenant)s)"),
    "webhook_id": sql.SQL("webhook_id IN (SELECT id FROM webhook WHERE tenant_id = %(tenant)s)"),
    "version_id": sql.SQL("version_id IN (SELECT id FROM eraser_version WHERE model_id = %(model)s)"),
}


def _own_rows(columns: list[str]) -> sql.SQL | None:
    return next((condition for column, condition in OWN_ROWS.items() if column in columns), None)
