"""A transaction of a tenant reaches the rows of that tenant alone, whatever its statements say."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine, event, exists, func, select, update
from sqlalchemy.orm import aliased

from shared.db.models.base import Base, OfTenant
from shared.db.models.tenancy import Tenant
from shared.db.models.tickets import Ticket, TicketEvent
from shared.db.session import transaction
from shared.db.tenants import of_installation, of_tenant
from tests.support.databases import Databases

ROOT: Final = Path(__file__).parents[3]
MAPPERS: Final = list(Base.registry.mappers)
TENANT_TABLES: Final[list[Any]] = [mapper.class_ for mapper in MAPPERS if issubclass(mapper.class_, OfTenant)]
# Tables with a tenant whose rows a tenant's transaction may see of others, and why.
SEEN: Final = {
    "log_leaf": "every auditor checks the whole log; of other tenants' leaves the endpoint gives the hash",
    "tenant_request": "a tenant that is asked for; the operating tenant alone comes there",
}
# Modules that open transactions of the whole installation, or whose engine somebody else bound, and why.
OF_INSTALLATION: Final = {
    "services/inference/authentication.py": "whose key it is; that of another tenant is refused",
    "services/inference/watcher.py": "one model; the role of the replica reads no ticket",
    "services/request/api/jobs.py": "deletes what is a day old",
    "services/request/audit_log/sequencer.py": "one log of all tenants",
    "services/request/audit_log/timestamper.py": "one log of all tenants",
    "services/request/auth/authentication.py": "whose key or token it is",
    "services/request/bootstrap.py": "the set-up of the first tenant",
    "services/request/console/sessions.py": "whose session it is",
    "services/request/key_rotation/jobs.py": "all data keys, which are not opened",
    "services/request/drp/endpoints.py": "which model the tenant of the agents has",
    "services/request/drp/jobs.py": "callbacks of all requests, each with its own ticket",
    "services/request/public_form/jobs.py": "mails of all forms, which say nothing of tickets",
    "services/request/public_form/pages.py": "which model the tenant of the form has",
    "services/request/monitoring/figures.py": "for whoever operates the installation",
    "services/request/monitoring/jobs.py": "heartbeats; the alarms are those of each tenant in turn",
    "services/request/restores/service.py": "the model of a tenant, for the operating one",
    "services/request/retention/compaction.py": "whether anything was destroyed in the bucket of all tenants",
    "services/request/retention/existing_keys.py": "all wrapped keys, which are not opened",
    "services/request/tenants/endpoints.py": "all tenants, for the operating one",
    "services/request/webhooks/jobs.py": "one dispatcher, which compares the tenants of event and webhook",
    "services/request/worker/main.py": "looks at the role",
    "services/request/worker/outbox.py": "one queue of all tenants; orders have ids",
    "services/request/worker/per_tenant.py": "which tenants there are",
    "services/audit/attack.py": "a command on the machine of the audit worker",
    "services/audit/tasks.py": "the version's tenant; from there on a transaction of that tenant",
    "services/audit/nightly_task.py": "the version's tenant from then on; whether a candidate of any tenant waits",
    "services/refit/run_record.py": "its engine is that of the model's tenant (tasks.py)",
    "services/refit/tasks.py": "the model's tenant; from there on a transaction of that tenant",
    "shared/db/repositories/heartbeats.py": "heartbeats of processes",
}
# Features whose jobs run in the context of one tenant (worker/main.py builds them by PerTenant, imports by themselves).
PER_TENANT: Final = {
    "services/request/break_glass/jobs.py",
    "services/request/drop/jobs.py",
    "services/request/drop/platform.py",
    "services/request/certificates/issuer.py",
    "services/request/erasers/jobs.py",
    "services/request/imports/jobs.py",
    "services/request/refits/jobs.py",
    "services/request/restores/jobs.py",
    "services/request/retention/jobs.py",
    "services/request/tickets/calendars.py",
    "services/request/tickets/jobs.py",
    "services/request/tickets/name_keys.py",
}
CALLERS: Final = {"context.database", "visit.context.database", "self.context.database"}
# Statements as text that name a table with a tenant, and how they are bound.
AS_TEXT: Final = {
    "services/request/retention/service.py": "whether a row of any tenant still needs a key; it says no more",
    "shared/db/repositories/certificates.py": "by the model",
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("services", "shared"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def calls(tree: ast.Module, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name and node.args:
            yield node


def test_every_module_that_opens_transactions_says_of_whom() -> None:
    """One that is new is an endpoint's over its caller's context, or stands in a list above with its reason."""
    opened = {name: {ast.unparse(call.args[0]) for call in calls(tree, "transaction")} for name, tree in modules()}
    opened = {name: engines for name, engines in opened.items() if engines}
    known = OF_INSTALLATION.keys() | PER_TENANT
    assert {name for name, engines in opened.items() if name not in known and not engines <= CALLERS} == set()
    assert known <= opened.keys(), "a module in the lists opens no transaction any more"
    callers = {name for name in opened if name not in known}
    assert all(name.startswith("services/request/") for name in callers)


def test_statements_as_text_that_name_a_table_with_a_tenant_are_known() -> None:
    tables = {table.__tablename__ for table in TENANT_TABLES}
    found = set()
    for name, tree in modules():
        for call in calls(tree, "text"):
            words = set(ast.unparse(call.args[0]).replace(".", " ").replace("'", " ").split())
            if words & tables and words & {"FROM", "UPDATE", "INTO", "JOIN"}:
                found.add(name)
    assert found == AS_TEXT.keys()


def test_bare_tables_with_a_tenant_are_used_in_one_place() -> None:
    found = {
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "__table__"
    }
    assert found == {"services/request/api/idempotency.py"}


def test_every_table_with_a_tenant_is_one_that_is_narrowed() -> None:
    with_tenant = {mapper.class_.__tablename__ for mapper in MAPPERS if "tenant_id" in mapper.columns}
    assert {table.__tablename__ for table in TENANT_TABLES} | SEEN.keys() == with_tenant


@pytest.fixture
def statements(database: Databases) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What is sent to the database, with its parameters."""
    sent: list[tuple[str, dict[str, Any]]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: dict[str, Any], _context: Any, _many: bool) -> None:
        sent.append((statement, parameters))

    engine = database.engine("admin")
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def ask_everything(engine: Engine) -> int:
    """Every kind of statement on every table that has a tenant; how many statements that were."""
    count = 0
    for table in TENANT_TABLES:
        other = aliased(table)
        with transaction(engine) as session:
            for statement in (
                select(table),
                select(func.count()).select_from(table),
                select(other.tenant_id).limit(1),
                select(exists().where(table.tenant_id.is_not(None))),
                select(Tenant.id).where(Tenant.id.in_(select(table.tenant_id))),
                select(Tenant.id).join(table, table.tenant_id == Tenant.id),
            ):
                session.execute(statement)
                count += 1
    with transaction(engine) as session:
        session.get(Ticket, "T-00000000")
        session.execute(update(Ticket).values(urgent=True))
        session.scalar(select(TicketEvent.id).join(Ticket, Ticket.id == TicketEvent.ticket_id))
    return count + 3


@pytest.mark.parametrize("tenant", ["acme", "other"])
def test_every_statement_of_a_tenants_transaction_carries_the_tenant(
    database: Databases, statements: list[tuple[str, dict[str, Any]]], tenant: str
) -> None:
    count = ask_everything(of_tenant(database.engine("admin"), tenant))
    assert len(statements) >= count
    own = [(statement, parameters) for statement, parameters in statements if "pg_catalog" not in statement]
    assert not [statement for statement, parameters in own if tenant not in parameters.values()]


def test_transactions_of_the_installation_are_not_narrowed(
    database: Databases, statements: list[tuple[str, dict[str, Any]]]
) -> None:
    bound = of_tenant(database.engine("admin"), "acme")
    for engine in (database.engine("admin"), of_installation(bound)):
        with transaction(engine) as session:
            session.execute(select(Ticket))
    assert not any("acme" in parameters.values() for _, parameters in statements)
