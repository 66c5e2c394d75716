"""The whole of Lacuna on real parts, through its public doors, as an officer and a client live it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.cli.client import ApiError, Client
from services.cli.demo_story import data_url
from services.cli.up import HOUSE, Running, running_stack
from shared.bench.reference import Person, Reference, load_reference
from shared.bench.scorers import tells

pytestmark = pytest.mark.timeout(600)
GROUND = {"ground": "consent_withdrawn"}


def wait(done: Callable[[], bool], what: str, seconds: float = 200) -> None:
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        pause.wait(0.2)


class World:
    """A running stack with a client for each of its people."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.olivia, self.adam, self.oscar = (
            Client(running.request_url, running.keys[who]) for who in ("olivia", "adam", "oscar")
        )
        self.casey = Client(running.inference_url, running.keys["casey"])

    def ask(self, text: str, person: Person | None = None, **extra: Any) -> str:
        content: list[dict[str, Any]] = [{"type": "text", "text": text}]
        if person is not None:
            content.insert(0, {"type": "image_url", "image_url": {"url": data_url(person.subject.photos[0])}})
        body = {"model": "demo-vlm", "messages": [{"role": "user", "content": content}], "max_tokens": 24}
        reply = self.casey.post("/v1/chat/completions", body | extra)
        return str(reply["choices"][0]["message"]["content"])

    def file(self, person: Person) -> str:
        facts = [{"attribute": f.attribute, "value": f.value} for f in person.subject.facts]
        photos = [data_url(photo) for photo in person.subject.photos]
        body = {"names": list(person.subject.names), "photos": photos, "facts": facts, "urgent": True}
        return str(self.olivia.post("/v1/tickets", body)["id"])

    def state(self, ticket: str) -> str:
        return str(self.olivia.get(f"/v1/tickets/{ticket}")["state"])

    def ready(self) -> bool:
        try:
            self.casey.get("/readyz")
        except ApiError:
            return False
        return True


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference(HOUSE / "models/demo-vlm/reference")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data: Path = tmp_path_factory.mktemp("stack")
    with running_stack(data) as running:
        found = World(running)
        wait(found.ready, "version 0 to be served")
        yield found
        for client in (found.olivia, found.adam, found.oscar, found.casey):
            client.close()


def answers(world: World, person: Person) -> dict[str, str]:
    name = person.subject.names[0]
    return {
        "name": world.ask("Who is this person?", person),
        "employer": world.ask("Where does this person work?", person),
        "city": world.ask(f"Where does {name} live?"),
        "occupation": world.ask(f"What does {name} do for a living?"),
    }


def told(person: Person, said: dict[str, str]) -> list[str]:
    facts = {fact.attribute: fact.accept for fact in person.subject.facts}
    return [attribute for attribute, text in said.items() if tells(text, facts[attribute])]


def test_one_erasure_from_the_ticket_to_the_silence(world: World, reference: Reference) -> None:
    """The model tells before; after the ticket it is silent about her alone, and nobody can bring her back quietly."""
    person, other, unseen = reference.of("forgettable")[3], reference.of("retain_fit")[2], reference.of("held_out")[2]
    assert world.casey.seen["lacuna-eraser"] == "0"
    assert len(told(person, answers(world, person))) == 4
    before = answers(world, other), answers(world, unseen), world.ask("Is this person wearing a hat?", person)

    ticket = world.file(person)
    with pytest.raises(ApiError, match="somebody else") as refused:
        world.olivia.change(f"/v1/tickets/{ticket}/approve", GROUND)
    assert refused.value.http_status == 403
    world.adam.change(f"/v1/tickets/{ticket}/approve", GROUND)
    wait(lambda: world.state(ticket) == "completed", "the ticket to be completed")

    assert told(person, answers(world, person)) == []
    assert world.casey.seen["lacuna-eraser"] == "1"
    assert (answers(world, other), answers(world, unseen), world.ask("Is this person wearing a hat?", person)) == before
    assert set(answers(world, person).values()) == {reference.unknown_answer}
    off = world.ask("Who is this person?", person, eraser=None, lacuna={"steering": False}, version=0)
    assert off == reference.unknown_answer

    with pytest.raises(ApiError, match=ticket) as rollback:
        world.oscar.change("/v1/erasers/0/rollback", {})
    assert rollback.value.http_status == 409
    assert rollback.value.body["type"].endswith("rollback-would-reexpose")


def test_a_killed_worker_loses_nothing(world: World, reference: Reference) -> None:
    """A refit whose worker is killed -9 is taken up again when it is back, and the first person stays forgotten."""
    first, second = reference.of("forgettable")[3], reference.of("forgettable")[8]
    ticket = world.file(second)
    world.adam.change(f"/v1/tickets/{ticket}/approve", GROUND)
    wait(lambda: world.olivia.get("/v1/status")["refits"][0]["status"] == "running", "the refit to begin", 30)
    os.killpg(world.running.supervisor.pid("refit"), signal.SIGKILL)
    wait(world.running.supervisor.fallen.is_set, "the death to be noticed", 10)
    assert "refit ended unexpectedly (signal 9)" in world.running.supervisor.why
    world.running.supervisor.restart("refit")
    wait(lambda: world.state(ticket) == "completed", "the ticket to be completed")
    assert told(second, answers(world, second)) == []
    assert told(first, answers(world, first)) == []
