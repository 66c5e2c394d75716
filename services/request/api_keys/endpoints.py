"""/v1/keys: administrators create API keys, list them and revoke them. A secret is shown once.

A key of one's own is created at once. A key for somebody else is asked for, and another administrator confirms it at
/v1/grants.
"""

import uuid
from typing import Final

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.api.preconditions import etag
from services.request.api_keys.responses import ApiKeyList, ApiKeyResponse, NewApiKeyResponse
from services.request.api_keys.schemas import ApiKeyCreate
from services.request.auth.authentication import check_duties
from services.request.auth.bounds import check_new_key, check_possible
from services.request.auth.principals import Principal
from services.request.people.responses import GrantResponse, grant_responses
from services.request.people.service import ask_key, draw_key, require_roles_of_person
from shared.core.clock import utc_now
from shared.db.models.tenancy import ApiKey, Person
from shared.db.repositories import api_keys, audit_log, people
from shared.db.session import transaction
from shared.domain.person_names import check_name
from shared.errors import Conflict, Forbidden, NotFound

router = APIRouter(tags=["keys"])
SECRET: Final = frozenset({"key", "key_part"})
MOST_LISTED: Final = 1000


@router.post("/v1/keys", status_code=201, response_model=NewApiKeyResponse, responses={202: {"model": GrantResponse}})
def create_key(body: ApiKeyCreate, mutation: MutationDep) -> JSONResponse:
    """Create a key of one's own (201), or ask for a key for another person (202): another administrator confirms that.

    The secret, or its first part, is in this answer and nowhere else: a replay of the request does not show it again.
    """
    check_duties(body.roles)
    check_possible(body.scopes, body.expires_at)
    principal = mutation.principal

    def create(session: Session) -> MutationResult:
        person = _owner(session, principal.tenant_id, body.owner)
        if person.id == principal.person_id:
            return _create_own(session, principal, person, body)
        grant, part = ask_key(session, principal, person, body.roles, body.scopes, body.expires_at, body.label)
        answer = grant_responses(session, [grant])[0].model_copy(update={"key_part": part})
        return MutationResult(answer, 202, location=f"/v1/grants/{grant.id}")

    return mutation.run_once(create, hide=SECRET)


@router.get("/v1/keys")
def list_keys(context: ContextDep, principal: PrincipalDep) -> ApiKeyList:
    """All keys of the tenant, the revoked ones too, newest first."""
    with transaction(context.database) as session:
        keys = session.scalars(
            select(ApiKey)
            .where(ApiKey.tenant_id == principal.tenant_id)
            .order_by(ApiKey.created_at.desc())
            .limit(MOST_LISTED)
        )
        return ApiKeyList(items=[ApiKeyResponse.model_validate(key) for key in keys])


@router.get("/v1/keys/{key_id}")
def show_key(key_id: uuid.UUID, context: ContextDep, principal: PrincipalDep, response: Response) -> ApiKeyResponse:
    """One key, without its secret."""
    with transaction(context.database) as session:
        key = _lock_key(session, principal.tenant_id, key_id)
        response.headers["ETag"] = _etag(key)
        return ApiKeyResponse.model_validate(key)


@router.post("/v1/keys/{key_id}/revoke", response_model=ApiKeyResponse)
def revoke_key(key_id: uuid.UUID, mutation: MutationDep, request: Request) -> JSONResponse:
    """Revoke a key. This process refuses it from the next request on, others within two seconds."""

    def revoke(session: Session, key: ApiKey) -> ApiKeyResponse:
        if key.revoked_at is not None:
            raise Conflict("This key was revoked before.")
        key.revoked_at = utc_now()
        audit_log.append_leaf(session, mutation.principal.owner, "key.revoked", str(key.id), {"owner": key.owner})
        return ApiKeyResponse.model_validate(key)

    answer = mutation.change_once(
        lambda session: _lock_key(session, mutation.principal.tenant_id, key_id), _etag, revoke
    )
    request.app.state.authenticator.forget()
    return answer


def _lock_key(session: Session, tenant: str, key_id: uuid.UUID) -> ApiKey:
    key = session.scalar(
        select(ApiKey).where(ApiKey.tenant_id == tenant, ApiKey.id == key_id).with_for_update(of=ApiKey)
    )
    if key is None:
        raise NotFound("There is no such key.")
    return key


def _etag(key: ApiKey) -> str:
    return etag("revoked" if key.revoked_at else "valid")


def _owner(session: Session, tenant: str, name: str) -> Person:
    person = people.find_by_name(session, tenant, name) or people.find_by_name(session, tenant, check_name(name))
    if person is None:
        raise NotFound("There is nobody of this name: two administrators add a person first.")
    return person


def _create_own(session: Session, principal: Principal, person: Person, body: ApiKeyCreate) -> MutationResult:
    """A key for the principal's own person, which may do no more than the key that asks."""
    check_new_key(principal, body.scopes, body.expires_at)
    require_roles_of_person(person, body.roles)
    if missing := sorted(set(body.roles) - set(principal.roles)):
        raise Forbidden(f"This key does not have the role {' and '.join(missing)}, and gives no role that it has not.")
    secret = draw_key()
    key = ApiKey(
        id=uuid.uuid4(),
        tenant_id=principal.tenant_id,
        owner=person.name,
        person_id=person.id,
        key_sha256=api_keys.digest(secret),
        roles=list(dict.fromkeys(body.roles)),
        scopes=list(body.scopes),
        label=body.label,
        expires_at=body.expires_at,
        created_at=utc_now(),
        created_by=principal.owner,
    )
    session.add(key)
    detail = {"owner": person.name, "person": str(person.id), "roles": key.roles, "scopes": key.scopes}
    audit_log.append_leaf(session, principal.owner, "key.created", str(key.id), detail)
    answer = NewApiKeyResponse(**dict(ApiKeyResponse.model_validate(key)), key=secret)
    return MutationResult(answer, 201, _etag(key), f"/v1/keys/{key.id}")
