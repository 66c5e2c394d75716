"""API keys over HTTP, for administrators: make one (its secret is shown once), list, revoke."""

import hashlib
import secrets
import uuid
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.api_keys.schemas import ApiKeyCreate
from services.request.auth.authentication import check_duties
from services.request.auth.permissions import PERMISSIONS
from shared.core.clock import utc_now
from shared.db.models.tenancy import ApiKey
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.errors import BadInput, Conflict, NotFound

router = APIRouter(tags=["keys"])
SECRET = frozenset({"key"})


@router.post("/v1/keys", status_code=201)
def create_key(body: ApiKeyCreate, mutation: MutationDep) -> JSONResponse:
    """Make a key. Its secret is in this answer and nowhere else: a replay of this request does not show it again."""
    check_duties(body.roles)
    if unknown := set(body.scopes) - {rule.scope for rule in PERMISSIONS.values()}:
        raise BadInput(f"There is no scope {', '.join(sorted(unknown))}.")
    if body.expires_at is not None and body.expires_at <= utc_now():
        raise BadInput("expires_at: has passed already.")
    secret = f"lk_{secrets.token_urlsafe(24)}"

    def work(session: Session) -> MutationResult:
        made = ApiKey(
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
        session.add(made)
        audit_log.append_leaf(
            session, mutation.principal.owner, "key.created", str(made.id), {"roles": made.roles, "scopes": made.scopes}
        )
        return MutationResult(_view(made) | {"key": secret}, 201, _etag(made), f"/v1/keys/{made.id}")

    return mutation.run_once(work, hide=SECRET)


@router.get("/v1/keys")
def list_keys(context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """All keys of the tenant, the revoked ones too, newest first."""
    with transaction(context.database) as session:
        found = (
            select(ApiKey).where(ApiKey.tenant_id == principal.tenant_id).order_by(ApiKey.created_at.desc()).limit(1000)
        )
        return {"items": [_view(one) for one in session.scalars(found)]}


@router.get("/v1/keys/{key_id}")
def show_key(key_id: uuid.UUID, context: ContextDep, principal: PrincipalDep, response: Response) -> dict[str, Any]:
    """One key, without its secret."""
    with transaction(context.database) as session:
        one = _get(session, principal.tenant_id, key_id)
        response.headers["ETag"] = _etag(one)
        return _view(one)


@router.post("/v1/keys/{key_id}/revoke")
def revoke_key(key_id: uuid.UUID, mutation: MutationDep, request: Request) -> JSONResponse:
    """The key is refused: by this process from the next request on, by others within two seconds."""

    def work(session: Session) -> MutationResult:
        one = _get(session, mutation.principal.tenant_id, key_id)
        mutation.require_match(_etag(one))
        if one.revoked_at is not None:
            raise Conflict("This key was revoked before.")
        one.revoked_at = utc_now()
        audit_log.append_leaf(session, mutation.principal.owner, "key.revoked", str(one.id), {})
        return MutationResult(_view(one), etag=_etag(one))

    answer = mutation.run_once(work)
    request.app.state.authenticator.forget()
    return answer


def _get(session: Session, tenant: str, key_id: uuid.UUID) -> ApiKey:
    found = session.scalar(
        select(ApiKey).where(ApiKey.tenant_id == tenant, ApiKey.id == key_id).with_for_update(of=ApiKey)
    )
    if found is None:
        raise NotFound("There is no such key.")
    return found


def _etag(one: ApiKey) -> str:
    return '"revoked"' if one.revoked_at else '"valid"'


def _view(one: ApiKey) -> dict[str, Any]:
    return {
        "id": one.id,
        "owner": one.owner,
        "roles": one.roles,
        "scopes": one.scopes,
        "label": one.label,
        "created_at": one.created_at,
        "created_by": one.created_by,
        "expires_at": one.expires_at,
        "last_used_at": one.last_used_at,
        "revoked_at": one.revoked_at,
    }
