"""Add a tenant: one administrator of the operating tenant asks, another one confirms.

The first administrators of the tenant are added with it, each with a key that is drawn in two parts: each of the two
people who add the tenant sees one part and passes it on, so that neither can act in the tenant. From then on the
tenant's own administrators give access. Its model has the source of the operating tenant's model, which the workers of
the installation have loaded; its erasers are its own. PostgreSQL enforces the same rules. Knows no HTTP.
"""

import secrets
import uuid

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from services.request.people.service import draw_key
from services.request.tenants.schemas import TenantCreate
from shared.core.clock import utc_now
from shared.db.models.tenancy import Model, Person, Tenant, TenantRequest
from shared.db.models.tickets import Ticket
from shared.db.repositories import api_keys, audit_log, refits, tenants
from shared.db.repositories.models import model_in_use
from shared.db.repositories.tenants import FirstAccount
from shared.domain.accounts import OPERATING_TENANT
from shared.domain.four_eyes import Actor, require_second_person, require_standing_request
from shared.domain.person_names import check_name
from shared.errors import BadInput, Conflict, Forbidden, NotFound
from shared.text.skeletons import skeleton


def ask(session: Session, principal: Principal, body: TenantCreate) -> tuple[TenantRequest, dict[str, str]]:
    """Ask to add a tenant. Returns the request and the first part of each administrator's key, by name.

    Raises BadInput for a name of a person that cannot be used, Conflict where there is such a tenant or model.
    """
    if principal.person_id is None:
        raise Forbidden("Only a person asks for a tenant.")
    names = [check_name(name) for name in body.administrators]
    if len({skeleton(name) for name in names}) < len(names):
        raise BadInput("The names of two administrators are the same, or look alike.")
    model_id = body.model or f"{model_in_use(session, OPERATING_TENANT)}.{body.name}"
    _require_new(session, body.name, model_id)
    parts = {name: draw_key() for name in names}
    request = TenantRequest(
        id=uuid.uuid4(),
        tenant_id=body.name,
        model_id=model_id,
        administrators=names,
        key_parts_sha256=[api_keys.sha256(parts[name]) for name in names],
        asked_by=principal.person_id,
        asked_at=utc_now(),
    )
    session.add(request)
    session.flush()
    _log(session, principal, "tenant.asked", request)
    return request, parts


def confirm(session: Session, principal: Principal, request: TenantRequest) -> dict[str, str]:
    """Add the tenant that another administrator asked for. Returns the second part of each key, by name.

    Raises FourEyes for whoever asked, Conflict where the request is a day old, was confirmed or has ended, or where
    there is such a tenant or model by now.
    """
    _require_open(request)
    require_second_person(
        Actor(principal.owner, principal.person_id),
        [(f"asked for the tenant {request.tenant_id}", Actor("", request.asked_by))],
        "confirm it",
    )
    require_standing_request(request.asked_at, utc_now())
    _require_new(session, request.tenant_id, request.model_id)
    request.confirmed_by, request.confirmed_at = principal.person_id, utc_now()
    session.flush()
    source = session.get_one(Model, model_in_use(session, OPERATING_TENANT)).source
    session.add(Tenant(id=request.tenant_id, created_at=utc_now()))
    session.flush()
    session.add(
        Model(id=request.model_id, tenant_id=request.tenant_id, source=source, created_at=utc_now(), in_use=True)
    )
    session.flush()
    parts = {name: secrets.token_urlsafe(24) for name in request.administrators}
    first = dict(zip(request.administrators, request.key_parts_sha256, strict=True))
    accounts = [
        FirstAccount(name, ("admin",), api_keys.digest_of_parts(first[name], part)) for name, part in parts.items()
    ]
    by = tenants.name_elsewhere(OPERATING_TENANT, principal.owner)
    tenants.set_up(session, request.tenant_id, accounts, by)
    _log(session, principal, "tenant.added", request)
    refits.order_refit(session, request.model_id, "initial")
    return parts


def end(session: Session, principal: Principal, request: TenantRequest) -> None:
    """Refuse a request, or take it back. Raises Conflict where it was confirmed or has ended."""
    _require_open(request)
    request.ended_by, request.ended_at = principal.person_id, utc_now()
    _log(session, principal, "tenant.refused", request)


def counts(session: Session) -> tuple[dict[str, int], dict[str, int]]:
    """How many tickets, and how many accounts that are not disabled, each tenant has."""
    tickets = select(Ticket.tenant_id, func.count()).group_by(Ticket.tenant_id)
    people = select(Person.tenant_id, func.count()).where(Person.disabled_at.is_(None)).group_by(Person.tenant_id)
    return dict(session.execute(tickets).all()), dict(session.execute(people).all())


def get_request(session: Session, request_id: uuid.UUID, *, lock: bool = False) -> TenantRequest:
    """The request; raises NotFound. With `lock` nobody else changes it until the transaction ends."""
    request = session.get(TenantRequest, request_id, with_for_update=lock)
    if request is None:
        raise NotFound("There is no such request for a tenant.")
    return request


def _require_open(request: TenantRequest) -> None:
    if request.confirmed_at is not None or request.ended_at is not None:
        raise Conflict("It was confirmed, or has ended, already.")


def _require_new(session: Session, tenant: str, model_id: str) -> None:
    if session.get(Tenant, tenant) is not None:
        raise Conflict(f"There is a tenant {tenant} already.")
    if session.scalar(select(Model.id).where(Model.id == model_id)) is not None:
        raise Conflict(f"There is a model {model_id} already.")


def _log(session: Session, principal: Principal, kind: str, request: TenantRequest) -> None:
    detail = {"tenant": request.tenant_id, "model": request.model_id, "administrators": request.administrators}
    audit_log.append_leaf(session, principal.owner, kind, str(request.id), detail)
