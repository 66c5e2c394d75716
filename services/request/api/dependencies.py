"""ContextDep, PrincipalDep."""

from typing import Annotated

from fastapi import Depends, Request

from services.request.auth.permissions import PERMISSIONS
from services.request.auth.principals import Principal
from services.request.context import AppContext
from shared.core.http import bearer_token, require_role
from shared.errors import InsufficientScope, Unauthorized


async def _office(request: Request) -> AppContext:  # async where nothing waits: no thread is asked
    context: AppContext = request.app.state.context
    return context


ContextDep = Annotated[AppContext, Depends(_office)]


def _person(request: Request) -> Principal:
    """Whoever asks, allowed to call this operation; raises Unauthorized, Forbidden or TooMany."""
    state = request.app.state
    address = request.client.host if request.client else "unknown"
    try:
        caller: Principal = state.authenticator.authenticate(bearer_token(request))
    except Unauthorized:
        state.limiter.failed(address)
        raise
    left = state.limiter.hit(f"{caller.tenant_id}/{caller.owner}")
    request.scope["state"]["headers"].update(left.headers)
    rule = PERMISSIONS[request.scope["route"].name]
    require_role(caller.roles, rule.roles)
    if caller.scopes and rule.scope not in caller.scopes:
        raise InsufficientScope(f"This key was not given the scope {rule.scope}.")
    return caller


PrincipalDep = Annotated[Principal, Depends(_person)]
