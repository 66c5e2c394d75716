"""Models: which one a tenant has in use, and which ones all tenants have."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.models.tenancy import Model


@dataclass(frozen=True)
class ModelInUse:
    """The model that a tenant has in use."""

    tenant_id: str
    model_id: str


def model_in_use(session: Session, tenant: str) -> str:
    """The id of the model that the tenant has in use; empty where it has none."""
    return session.scalar(select(Model.id).where(Model.tenant_id == tenant, Model.in_use)) or ""


def tenant_of(session: Session, model_id: str) -> str | None:
    """The tenant for which the model is served; None where there is no such model."""
    return session.scalar(select(Model.tenant_id).where(Model.id == model_id))


def models_in_use(session: Session) -> list[ModelInUse]:
    """The model of every tenant, in the order in which they were added."""
    query = select(Model.tenant_id, Model.id).where(Model.in_use).order_by(Model.created_at, Model.id)
    return [ModelInUse(tenant, model) for tenant, model in session.execute(query)]
