"""Several applications of one process answer by the same routes, each over its own state."""

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from fastapi.utils import generate_unique_id

from tests.support.shared_routes import Naming

router = APIRouter(prefix="/things")


@router.get("/{thing}")
def show_thing(thing: int, request: Request) -> dict[str, str | int]:
    """A thing, and whose it is."""
    return {"thing": thing, "of": request.app.state.owner}


def named_by_endpoint(route: APIRoute) -> str:
    return route.name


def application(owner: str, naming: Naming) -> FastAPI:
    app = FastAPI(generate_unique_id_function=naming)
    app.state.owner = owner
    app.include_router(router)
    return app


def test_applications_share_what_answers_a_route_and_not_their_state() -> None:
    apps = [application(owner, named_by_endpoint) for owner in ("olivia", "adam")]
    assert apps[0].router.routes[-1] is apps[1].router.routes[-1]
    for app, owner in zip(apps, ("olivia", "adam"), strict=True):
        client = TestClient(app)
        assert client.get("/things/3").json() == {"thing": 3, "of": owner}
        assert client.get("/things/three").status_code == 422


def test_router_that_is_included_otherwise_is_not_shared() -> None:
    app = application("olivia", named_by_endpoint)
    app.include_router(router, prefix="/old")
    assert app.router.routes[-1] is not app.router.routes[-2]
    assert TestClient(app).get("/old/things/3").json() == {"thing": 3, "of": "olivia"}


def test_application_that_names_operations_as_the_framework_does_shares_too() -> None:
    apps = [FastAPI(), FastAPI()]
    for app in apps:
        app.include_router(router)
    assert apps[0].router.routes[-1] is apps[1].router.routes[-1]


@pytest.mark.parametrize("naming", [generate_unique_id, named_by_endpoint])
def test_document_is_that_of_the_framework(naming: Naming) -> None:
    plain = FastAPI(generate_unique_id_function=naming)
    plain.router.include_router(router)
    assert application("olivia", naming).openapi() == plain.openapi()
