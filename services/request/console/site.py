"""The console as a whole: its pages, its static files, and `/`, which leads there."""

from dataclasses import replace
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from services.request.auth.permissions import PERMISSIONS
from services.request.console import (
    access,
    administration,
    approvals,
    erasers,
    filing,
    letters,
    progress,
    provider_sign_in,
    queue,
    report_file,
    sign_in,
    supervision,
    tenants,
    ticket,
)
from services.request.console.rendering import FOLDER, SECURITY_HEADERS, STATIC, render
from services.request.console.routing import HOME, console_router, language_of
from services.request.console.streams import Streams
from services.request.console.visit import VisitDep
from shared.errors import NotFound

# In this order: /console/tickets/new is not a request of the number `new`.
ROUTERS: Final = (
    sign_in.router,
    provider_sign_in.router,
    queue.router,
    filing.router,
    approvals.router,
    letters.router,
    ticket.router,
    report_file.pages,
    progress.router,
    erasers.router,
    supervision.router,
    administration.router,
    access.router,
    tenants.router,
)
# Forms with files are as large as the operation that they call allows; all others are small.
LARGE_FORMS: Final = {"file": "submit", "edit": "edit_ticket", "add_retain_set": "add_retain_set"}
FORM_BODIES: Final = tuple(
    (route.path_regex, replace(PERMISSIONS[LARGE_FORMS[route.name]].body, members=None))
    for route in (*filing.router.routes, *administration.router.routes)
    if isinstance(route, APIRoute) and route.name in LARGE_FORMS
)
KEPT: Final = "public, max-age=31536000, immutable"  # the address of a file names its content (`static_url`)
rest = console_router()


class _StaticFiles(StaticFiles):
    """Styles and scripts, which a browser keeps."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update({**SECURITY_HEADERS, "Cache-Control": KEPT})
        return response


def install_console(app: FastAPI) -> None:
    """Add the console to the application, at `/console`, and the API's documentation at `/docs`."""
    app.state.console_streams = Streams()
    for router in ROUTERS:
        app.include_router(router)
    app.mount(STATIC, _StaticFiles(directory=FOLDER / "static"), name="console_static")
    app.include_router(rest)


@rest.get("/")
def root() -> Response:
    """To the console."""
    return RedirectResponse(HOME, 303)


@rest.get("/docs")
def api_docs(request: Request) -> Response:
    """The API's documentation, with files of this service alone: it works without the internet."""
    return render(language_of(request), request.app.state.context.zone, "api_docs.html")


@rest.get(f"{HOME}/{{path:path}}")
def unknown(path: str, visit: VisitDep) -> Response:
    """There is no such page."""
    raise NotFound("There is no such page.")
