"""ContextDep and PrincipalDep: what every endpoint that only reads is given.

Both `PrincipalDep` and `MutationDep` (`idempotency.py`) check the table of permissions, so that an endpoint never
checks a role itself.
"""

from typing import Annotated

from fastapi import Depends, Request

from services.request.auth.permissions import PERMISSIONS
from services.request.auth.principals import Principal
from services.request.context import AppContext
from shared.core.http import bearer_token, require_role
from shared.errors import InsufficientScope, Unauthorized


async def _context(request: Request) -> AppContext:  # async although nothing is awaited: no thread is needed
    context: AppContext = request.app.state.context
    return context


ContextDep = Annotated[AppContext, Depends(_context)]


def authorized_principal(request: Request) -> Principal:
    """The caller, who is allowed to call this operation.

    Raises Unauthorized without a valid key or token, Forbidden without a role or scope that the operation needs,
    TooManyRequests above the rate limit.
    """
    state = request.app.state
    address = request.client.host if request.client else "unknown"
    try:
        principal: Principal = state.authenticator.authenticate(bearer_token(request))
    except Unauthorized:
        state.rate_limiter.count_failure(address)
        raise
    status = state.rate_limiter.count_request(f"{principal.tenant_id}/{principal.owner}")
    request.scope["state"]["headers"].update(status.headers)
    require_permission(principal, request.scope["route"].name)
    return principal


def require_permission(principal: Principal, operation: str) -> None:
    """Raise Forbidden without a role, InsufficientScope without the scope, that `operation` of the table needs."""
    permission = PERMISSIONS[operation]
    require_role(principal.roles, permission.roles)
    if principal.scopes and permission.scope not in principal.scopes:
        raise InsufficientScope(f"This key was not given the scope {permission.scope}.")


PrincipalDep = Annotated[Principal, Depends(authorized_principal)]
