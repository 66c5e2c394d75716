"""ContextDep and PrincipalDep: what every endpoint that only reads is given.

The table of permissions was checked before (`auth/admission.py`), so that an endpoint never checks a role itself.
"""

from typing import Annotated

from fastapi import Depends, Request

from services.request.auth.principals import Principal
from services.request.context import AppContext


async def _context(request: Request) -> AppContext:  # async although nothing is awaited: no thread is needed
    context: AppContext = request.app.state.context
    return context


ContextDep = Annotated[AppContext, Depends(_context)]


async def authorized_principal(request: Request) -> Principal:
    """The caller, who may call this operation: `auth/admission.py` checked it before the body was read."""
    principal: Principal = request.state.principal
    return principal


PrincipalDep = Annotated[Principal, Depends(authorized_principal)]
