"""/healthz, /readyz, /v1/sign-in, /v1/status: whether the service is alive, how one signs in, and the installation."""

from fastapi import APIRouter, Request
from sqlalchemy import text

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.auth.oidc import OidcProvider
from services.request.monitoring import checks
from services.request.monitoring.responses import HealthResponse, SignInResponse, StatusResponse, status_response
from services.request.restores import service as restores_service
from shared.db.session import transaction

router = APIRouter(tags=["status"])


@router.get("/healthz")
def healthz() -> HealthResponse:
    """The process answers."""
    return HealthResponse(status="alive")


@router.get("/readyz")
def readyz(context: ContextDep) -> HealthResponse:
    """The process and the database answer."""
    with transaction(context.database) as session:
        session.execute(text("SELECT 1"))
    return HealthResponse(status="ready")


@router.get("/v1/sign-in")
def sign_in(request: Request) -> SignInResponse:
    """At which OpenID provider, and as which of its clients, a command line signs in (RFC 8628)."""
    provider: OidcProvider | None = request.app.state.authenticator.provider
    if provider is None or not provider.device_client_id:
        return SignInResponse(issuer=None, client_id=None, scope=None)
    return SignInResponse(issuer=provider.issuer, client_id=provider.device_client_id, scope=provider.device_scope)


@router.get("/v1/status")
def status(context: ContextDep, principal: PrincipalDep) -> StatusResponse:
    """Tickets by state, what is served and by whom, the newest refits and audits, and what did not happen in time."""
    with transaction(context.database) as session:
        stale = restores_service.stale_reason(session, context)
        overdue = checks.find_overdue(session, context.model_id, context.alarm_thresholds)
        return status_response(session, principal.tenant_id, context.model_id, stale, overdue)
