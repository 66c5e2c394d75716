"""Routes that several applications of one process share."""

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi.utils import generate_unique_id
from starlette.routing import BaseRoute

Naming = Callable[[APIRoute], str]
NAMED_BY_PATH: Final[Naming] = generate_unique_id  # as the framework does

_included: Final[dict[tuple[int, Naming], BaseRoute]] = {}  # each keeps its router, whose id no other can have then


def named_by_endpoint(route: APIRoute) -> str:
    """The name of an operation in the OpenAPI document: that of its endpoint function."""
    return route.name


def include(app: FastAPI, router: APIRouter, naming: Naming = NAMED_BY_PATH) -> None:
    """Add the routes of `router`, as `app.include_router` does.

    The framework makes what answers a route at the first request that passes it, some milliseconds for each, and anew
    for every application that includes the router. A process that builds many applications, as the tests do, makes it
    once. No application may override dependencies, and a router may have no lifespan of its own.
    """
    key = (id(router), naming)
    if key not in _included:
        holder = APIRouter(generate_unique_id_function=naming)
        holder.include_router(router)
        (_included[key],) = holder.routes
    app.router.routes.append(_included[key])
