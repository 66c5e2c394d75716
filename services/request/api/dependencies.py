"""ContextDep and PrincipalDep: what every endpoint that only reads is given.

The table of permissions was checked before (`auth/admission.py`), so that an endpoint never checks a role itself.
"""

from typing import Annotated

from fastapi import Depends, Request

from services.request.auth.principals import Principal
from services.request.context import AppContext


def context_of(request: Request) -> AppContext:
    """The context of the caller's tenant; the whole installation's for an operation that is answered to everybody."""
    context: AppContext = request.app.state.context
    principal: Principal | None = getattr(request.state, "principal", None)
    return context if principal is None else context.of_tenant(principal.tenant_id, principal.model_id)


async def _context(request: Request) -> AppContext:  # async although nothing is awaited: no thread is needed
    return context_of(request)


ContextDep = Annotated[AppContext, Depends(_context)]


async def authorized_principal(request: Request) -> Principal:
    """The caller, who may call this operation: `auth/admission.py` checked it before the body was read."""
    principal: Principal = request.state.principal
    return principal


PrincipalDep = Annotated[Principal, Depends(authorized_principal)]
