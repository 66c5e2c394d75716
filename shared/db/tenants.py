"""Transactions of one tenant: they see the rows of that tenant alone, and what they append to the log is the tenant's.

Every query names its tenant, or a model of it, by itself. This is the second guard: a query on a table with a tenant
(`OfTenant`) that forgot to is narrowed all the same. It changes no statement that is written as text and none on a bare
table. A transaction without a tenant is one of the installation, such as a look-up of a key, and is not narrowed.
"""

from typing import Final

from sqlalchemy import Engine, event
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from shared.db.models.base import OfTenant

OPTION: Final = "lacuna_tenant"  # of an engine; in a session's `info` too


def of_tenant(database: Engine, tenant: str) -> Engine:
    """The same database with the same connections, for transactions of `tenant`."""
    return database.execution_options(**{OPTION: tenant})


def of_installation(database: Engine) -> Engine:
    """The same database for transactions that see all tenants."""
    return database.execution_options(**{OPTION: None})


def tenant_of(session: Session) -> str | None:
    """Whose transaction it is; None for one of the installation."""
    tenant: str | None = session.info.get(OPTION)
    return tenant


def bind(session: Session, database: Engine) -> None:
    """Make the session one of the tenant that `database` is of, where it is of one."""
    tenant = database.get_execution_options().get(OPTION)
    if tenant is not None:
        session.info[OPTION] = tenant


@event.listens_for(Session, "do_orm_execute")
def _narrow(state: ORMExecuteState) -> None:
    """Add the tenant to a statement of a tenant's session. A refreshed row was read by such a statement before."""
    tenant = state.session.info.get(OPTION)
    if tenant is None or state.is_column_load or state.is_relationship_load or state.is_insert:
        return
    own_rows = with_loader_criteria(OfTenant, lambda table: table.tenant_id == tenant, include_aliases=True)
    state.statement = state.statement.options(own_rows)
