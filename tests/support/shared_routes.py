"""Applications of a test process share their routes.

The framework makes what answers a route at the first request that passes it, some milliseconds for each, and anew for
every application that includes the router. A service builds one application, the tests build thousands.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.datastructures import DefaultPlaceholder
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

Naming = Callable[[APIRoute], str]  # of operations
Include = Callable[..., None]

_included: Final[dict[tuple[int, Naming], BaseRoute]] = {}  # each keeps its router, whose id no other can have then


def sharing(include_router: Include) -> Include:
    """`FastAPI.include_router`, which adds to all applications that name operations alike one route for a router.

    No application may override dependencies, and a router may have no lifespan of its own.
    """

    def include(app: FastAPI, router: APIRouter, **options: Any) -> None:
        if options:
            include_router(app, router, **options)
            return
        naming = app.router.generate_unique_id_function
        key = (id(router), naming.value if isinstance(naming, DefaultPlaceholder) else naming)
        if key not in _included:
            holder = APIRouter(generate_unique_id_function=naming)
            holder.include_router(router)
            (_included[key],) = holder.routes
        app.router.routes.append(_included[key])

    return include


@pytest.fixture(scope="session", autouse=True)
def shared_routes() -> Iterator[None]:
    """Let all applications of this process share their routes."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FastAPI, "include_router", sharing(FastAPI.include_router))
        yield
