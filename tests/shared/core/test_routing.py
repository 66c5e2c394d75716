"""Several applications of one process answer by the same routes, each over its own state."""

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.testclient import TestClient

from shared.core.routing import NAMED_BY_PATH, Naming, include, named_by_endpoint

router = APIRouter(prefix="/things")


@router.get("/{thing}")
def show_thing(thing: int, request: Request) -> dict[str, str | int]:
    """A thing, and whose it is."""
    return {"thing": thing, "of": request.app.state.owner}


def application(owner: str, naming: Naming) -> FastAPI:
    app = FastAPI(generate_unique_id_function=naming)
    app.state.owner = owner
    include(app, router, naming)
    return app


def test_applications_share_what_answers_a_route_and_not_their_state() -> None:
    apps = [application(owner, named_by_endpoint) for owner in ("olivia", "adam")]
    assert apps[0].router.routes[-1] is apps[1].router.routes[-1]
    for app, owner in zip(apps, ("olivia", "adam"), strict=True):
        client = TestClient(app)
        assert client.get("/things/3").json() == {"thing": 3, "of": owner}
        assert client.get("/things/three").status_code == 422


@pytest.mark.parametrize("naming", [NAMED_BY_PATH, named_by_endpoint])
def test_document_is_that_of_the_framework(naming: Naming) -> None:
    plain = FastAPI(generate_unique_id_function=naming)
    plain.include_router(router)
    assert application("olivia", naming).openapi() == plain.openapi()
