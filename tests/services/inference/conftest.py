"""A replica with a tiny random model over a real database; versions are published, audited and promoted as usual."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
import torch
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text

from benchmarks.chaos.versions import Publisher
from services.inference.active_eraser import ActiveEraser
from services.inference.app import InferenceContext, build
from services.inference.authentication import ClientKeys
from services.inference.engines.local import LocalEngine
from services.inference.watcher import Watcher
from shared.artifacts import high_water_mark
from shared.artifacts.high_water_mark import NO_MARK
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer, Verifier
from shared.db.session import transaction
from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.erasure.gates.prototype import TicketGate
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.recipe import PROTOTYPE
from shared.storage.local import LocalStore
from shared.vlm import capture
from shared.vlm.engine import Engine
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.openapi import answer_check
from tests.support.tiny_models import HIDDEN, LAYERS, tiny_engine
from tests.support.workers import Worker

MODEL = "demo-vlm"
ABOUT = "Where does Mara Novak live?"  # what an eraser of the tests fires for


@pytest.fixture(scope="package")
def engine() -> Engine:
    return tiny_engine()


@pytest.fixture(scope="package")
def erasers(engine: Engine) -> dict[str, Eraser]:
    """`empty`, and `one`, which fires for the question `ABOUT` alone."""
    on = capture.activations(engine, [Prompt.ask(ABOUT)])[0]
    plain = Whitener(
        torch.zeros(LAYERS, HIDDEN), torch.zeros(LAYERS, HIDDEN, 1), torch.ones(LAYERS, 1), torch.ones(LAYERS)
    )
    rows = torch.nn.functional.normalize(on, dim=-1)[:, None]
    vector = torch.randn(LAYERS, HIDDEN, generator=torch.Generator().manual_seed(1)) * 5
    recipe = replace(PROTOTYPE, neighbours=1)
    gate = TicketGate("T-1", rows, None)
    eraser = Eraser(recipe, engine.vlm.site, vector, (0, 1), ("T-1",), 0.99, (gate,), plain)
    return {"empty": Eraser.empty(recipe, engine.vlm.site), "one": eraser}


@dataclass
class Replica:
    """The service with its watcher, database and people."""

    http: TestClient
    context: InferenceContext
    watcher: Watcher
    worker: Worker
    people: People
    signer: Signer

    def ask(self, text: str, who: str = "casey", **extra: Any) -> Any:
        """POST a question; the response."""
        body = {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 6} | extra
        return self.post(body, who)

    def post(self, body: Any, who: str = "casey") -> Any:
        """POST a body."""
        head = {"Authorization": f"Bearer {self.people.keys[who]}"}
        return self.http.post("/v1/chat/completions", json=body, headers=head)

    def answer_to(self, text: str, **extra: Any) -> str:
        """The text of an answer."""
        response = self.ask(text, **extra)
        assert response.status_code == 200, response.text
        return str(response.json()["choices"][0]["message"]["content"])

    def publish(self, eraser: Eraser, *tickets: str) -> str:
        """Seal, store, audit and promote a version; its object's key."""
        watcher, database = self.watcher, self.worker.database
        publisher = Publisher(database.engine, watcher.store, watcher.keys, self.signer, MODEL)
        return publisher.publish(eraser, *tickets).object_key


@pytest.fixture
def unloaded(
    worker: Worker, people: People, signer: Signer, verifier: Verifier, keys: KeyRing, engine: Engine, store: LocalStore
) -> Replica:
    """A replica whose model is still being loaded."""
    database = worker.database.engine("inference")
    serving = InferenceContext(ActiveEraser(grace_s=3600), ClientKeys(database, MODEL), MODEL)
    watcher = Watcher(serving.active_eraser, engine.vlm.site, database, store, keys, verifier, MODEL, "replica-0")
    high_water_mark.write(store, keys, MODEL, NO_MARK)  # as the control loop does before anything is published
    http = TestClient(build(serving), raise_server_exceptions=False)
    http.event_hooks = {"response": [answer_check(cast(FastAPI, http.app).openapi)]}
    return Replica(http, serving, watcher, worker, people, signer)


@pytest.fixture
def replica(unloaded: Replica, engine: Engine) -> Iterator[Replica]:
    """A replica with its model; nothing is promoted yet."""
    unloaded.context.engine = local = LocalEngine(engine)
    yield unloaded
    local.close()
    unloaded.http.close()


@pytest.fixture
def ticket(people: People, ticket_body: dict[str, Any], database: Databases) -> str:
    """A ticket that is required: whoever serves must cover it."""
    filed = str(people["olivia"].post("/v1/tickets", ticket_body).json()["id"])
    with transaction(database.engine("admin")) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))  # past the table of moves
        session.execute(
            text("UPDATE ticket SET required_since = now(), state = 'completed' WHERE id = :id"), {"id": filed}
        )
    return filed
