"""/v1/keys: administrators create API keys, list them and revoke them. A secret is shown once."""

import hashlib
import secrets
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
from services.request.auth.permissions import PERMISSIONS
from shared.core.clock import utc_now
from shared.db.models.tenancy import ApiKey
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.errors import BadInput, Conflict, NotFound

router = APIRouter(tags=["keys"])
SECRET: Final = frozenset({"key"})
MOST_LISTED: Final = 1000


@router.post("/v1/keys", status_code=201, response_model=NewApiKeyResponse)
def create_key(body: ApiKeyCreate, mutation: MutationDep) -> JSONResponse:
    """Create a key. Its secret is in this answer and nowhere else: a replay of the request does not show it again."""
    check_duties(body.roles)
    if unknown := set(body.scopes) - {permission.scope for permission in PERMISSIONS.values()}:
        raise BadInput(f"There is no scope {', '.join(sorted(unknown))}.")
    if body.expires_at is not None and body.expires_at <= utc_now():
        raise BadInput("expires_at: has passed already.")
    secret = f"lk_{secrets.token_urlsafe(24)}"

    def create(session: Session) -> MutationResult:
        key = ApiKey(
            id=uuid.uuid4(),
            tenant_id=mutation.principal.tenant_id,
            owner=body.owner,
            key_sha256=hashlib.sha256(secret.encode()).hexdigest(),
            roles=list(dict.fromkeys(body.roles)),
            scopes=list(body.scopes),
            label=body.label,
            expires_at=body.expires_at,
            created_at=utc_now(),
            created_by=mutation.principal.owner,
        )
        session.add(key)
        audit_log.append_leaf(
            session, mutation.principal.owner, "key.created", str(key.id), {"roles": key.roles, "scopes": key.scopes}
        )
        answer = NewApiKeyResponse(**dict(ApiKeyResponse.model_validate(key)), key=secret)
        return MutationResult(answer, 201, _etag(key), f"/v1/keys/{key.id}")

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
        audit_log.append_leaf(session, mutation.principal.owner, "key.revoked", str(key.id), {})
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
