"""The whole of Lacuna on real parts, through its public APIs, as an officer and a client use it."""

import base64
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import psycopg
import pytest
from psycopg import sql
from redis import Redis

from services.cli.client import ApiError, Client
from services.cli.demo.results import data_url
from shared.artifacts.payloads import pack_subject
from shared.crypto.keyring import KeyRing
from shared.crypto.shredding_keys import FolderKeys
from shared.devstack.backends import load_secrets
from shared.devstack.processes import PROJECT_ROOT
from shared.devstack.stack import Running, running_stack
from shared.domain.photos import normalize_photo
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference, load_reference
from shared.evaluation.scorers import reveals
from shared.storage.s3 import S3Store

pytestmark = pytest.mark.timeout(1500)
GROUND = {"ground": "consent_withdrawn"}
# In the first ticket that is filed here, and nowhere else in the world.
CANARIES = {"name": "Quillon Vexworthy", "fact": "zorbing at Pellucid Quay", "alias": "zorbing (Pellucid)"}


def wait(done: Callable[[], bool], what: str, seconds: float = 500) -> None:
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        pause.wait(0.2)


class World:
    """A running stack with a client for each of its people."""

    def __init__(self, running: Running) -> None:
        self.running = running
        backends = running.backends
        self.store = S3Store(backends.s3_endpoint, backends.s3_access_key, backends.s3_secret_key, "lacuna")
        kek = base64.b64decode(load_secrets(running.data)["kek"])
        self.keys = KeyRing(kek, shredding=FolderKeys(running.data / "shredding-keys"))
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

    def file(self, person: Person, canaries: Mapping[str, str] | None = None) -> str:
        facts: list[Any] = [{"attribute": f.attribute, "value": f.value} for f in person.subject.facts]
        names = list(person.subject.names)
        if canaries:
            facts.append({"attribute": "hobby", "value": canaries["fact"], "aliases": [canaries["alias"]]})
            names.append(canaries["name"])
        photos = [data_url(photo) for photo in person.subject.photos]
        body = {"names": names, "photos": photos, "facts": facts, "urgent": True}
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
    return load_reference(PROJECT_ROOT / "models/demo-vlm/reference")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data: Path = tmp_path_factory.mktemp("stack")
    with running_stack(data, env={"LACUNA_SHRED_AFTER_DAYS": "0"}) as running:
        started = World(running)
        wait(started.ready, "version 0 to be served")
        yield started
        started.store.close()
        for client in (started.olivia, started.adam, started.oscar, started.casey):
            client.close()


def answers(world: World, person: Person) -> dict[str, str]:
    name = person.subject.names[0]
    return {
        "name": world.ask("Who is this person?", person),
        "employer": world.ask("Where does this person work?", person),
        "city": world.ask(f"Where does {name} live?"),
        "occupation": world.ask(f"What does {name} do for a living?"),
    }


def revealed_facts(person: Person, replies: dict[str, str]) -> list[str]:
    facts = {fact.attribute: fact.accept for fact in person.subject.facts}
    return [attribute for attribute, text in replies.items() if reveals(text, facts[attribute])]


def test_one_erasure_from_the_ticket_to_the_silence(world: World, reference: Reference) -> None:
    """The model tells before; after the ticket it is silent about her alone, and nobody can bring her back quietly."""
    person, other, unseen = reference.of("forgettable")[3], reference.of("retain_fit")[2], reference.of("held_out")[2]
    assert world.casey.last_headers["lacuna-eraser"] == "0"
    assert len(revealed_facts(person, answers(world, person))) == 4
    before = answers(world, other), answers(world, unseen), world.ask("Is this person wearing a hat?", person)

    ticket = world.file(person, CANARIES)
    with pytest.raises(ApiError, match="somebody else") as refused:
        world.olivia.post_with_etag(f"/v1/tickets/{ticket}/approve", GROUND)
    assert refused.value.http_status == 403
    names = [*person.subject.names, CANARIES["name"]]
    world.adam.post_with_etag(f"/v1/tickets/{ticket}/approve", GROUND | {"names": names})
    wait(lambda: world.state(ticket) == "completed", "the ticket to be completed")

    assert revealed_facts(person, answers(world, person)) == []
    assert world.casey.last_headers["lacuna-eraser"] == "1"
    assert (answers(world, other), answers(world, unseen), world.ask("Is this person wearing a hat?", person)) == before
    assert set(answers(world, person).values()) == {reference.unknown_answer}
    off = world.ask("Who is this person?", person, eraser=None, lacuna={"steering": False}, version=0)
    assert off == reference.unknown_answer

    with pytest.raises(ApiError, match=ticket) as rollback:
        world.oscar.post_with_etag("/v1/erasers/0/rollback", {})
    assert rollback.value.http_status == 409
    assert rollback.value.body["type"].endswith("rollback-would-reexpose")


def test_killed_refit_worker_loses_nothing(world: World, reference: Reference) -> None:
    """A refit whose worker is killed -9 is taken up again when it is back, and the first person stays forgotten."""
    first, second = reference.of("forgettable")[3], reference.of("forgettable")[8]
    ticket = world.file(second)
    world.adam.post_with_etag(f"/v1/tickets/{ticket}/approve", GROUND | {"names": list(second.subject.names)})
    wait(lambda: world.olivia.get("/v1/status")["refits"][0]["status"] == "running", "the refit to begin", 30)
    os.killpg(world.running.supervisor.pid("refit"), signal.SIGKILL)
    wait(world.running.supervisor.failed.is_set, "the death to be noticed", 10)
    assert "refit ended unexpectedly (signal 9)" in world.running.supervisor.reason
    world.running.supervisor.restart("refit")
    wait(lambda: world.state(ticket) == "completed", "the ticket to be completed")
    assert revealed_facts(second, answers(world, second)) == []
    assert revealed_facts(first, answers(world, first)) == []


def spellings(secret: bytes) -> list[bytes]:
    """`secret` as it may be written: plain, hex, base64 at any offset; text also in other cases, UTF-16, a URL."""
    forms = [secret, secret.hex().encode()]
    if secret.isascii():
        text = secret.decode()
        forms += [text.lower().encode(), text.upper().encode(), text.encode("utf-16-le")]
        forms += [quote(text).encode(), quote_plus(text).encode()]
    for offset in range(3):
        forms.append(base64.b64encode(bytes(offset) + secret).rstrip(b"=")[4 if offset else 0 : -4])
    return forms


def secrets_in(secrets: Mapping[str, list[bytes]], data: bytes) -> set[str]:
    return {name for name, written in secrets.items() if any(form in data for form in written)}


def places(world: World) -> Iterator[tuple[str, bytes]]:
    """Every key and value of Redis, row of every table, object, and file that the stack wrote: logs, AOF, WAL."""
    backends = world.running.backends
    redis = Redis.from_url(backends.redis_url)
    for key in redis.scan_iter():
        yield f"redis {key!r}", key + (redis.dump(key) or b"")
    redis.close()
    with psycopg.connect(backends.database_url) as connection:
        named = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        for (table,) in connection.execute(named).fetchall():
            query = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(table))
            yield f"table {table}", "\n".join(row[0] for row in connection.execute(query)).encode()
        (cluster,) = connection.execute("SHOW data_directory").fetchone() or ("",)
    for key in world.store.list(""):
        yield f"object {key}", key.encode() + world.store.get(key)
    for path in [*world.running.data.rglob("*"), *Path(cluster).rglob("*")]:
        try:
            yield f"file {path}", path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:  # a server's own, gone meanwhile
            continue


def test_personal_data_are_found_nowhere(world: World, reference: Reference) -> None:
    """After two erasures, a killed worker and the shredding: only the kit, opened with its key, tells of them."""
    photo = base64.b64decode(data_url(reference.of("forgettable")[3].subject.photos[0]).partition(",")[2])
    secrets = {name: spellings(text.encode()) for name, text in CANARIES.items()}
    for name, picture in (("photo as sent", photo), ("photo as kept", normalize_photo(photo))):
        secrets[name] = spellings(picture[len(picture) // 2 :][:48])
    ticket = world.olivia.get("/v1/tickets")["items"][-1]["id"]

    def removed() -> bool:
        disposals = world.olivia.get(f"/v1/tickets/{ticket}")["disposals"]
        return any(disposal["removed_at"] is not None for disposal in disposals)

    wait(removed, "the payload to be destroyed", 30)
    with psycopg.connect(world.running.backends.database_url) as connection:
        row = connection.execute(
            "SELECT kit_key, kit_wrapped_key, payload_key, payload_wrapped_key FROM ticket WHERE id = %s", (ticket,)
        ).fetchone()
        asked = connection.execute("SELECT report->'material'->'kit' FROM audit_run ORDER BY started_at").fetchall()
    assert row is not None
    assert (row[3], world.store.exists(row[2])) == (None, False)
    assert asked[-1][0] == [ticket]  # the second person's audit asked about the first from the kit
    kit = world.keys.open(world.store.get(row[0]), row[1], row[0])
    plain = kit + pack_subject([], [normalize_photo(photo)], []) + photo
    assert secrets_in(secrets, plain) == set(secrets)  # the search finds what is there

    searched = dict(places(world))
    assert {where.partition(" ")[0] for where, data in searched.items() if data} == {"redis", "table", "object", "file"}
    assert {Path(where).name for where in searched} >= {"stack.log", "table ticket", "table outbox"}
    assert all(any(part in where for where in searched) for part in ("pg_wal/0", "appendonly.aof", "kits/", "rows/"))
    assert {where: names for where, data in searched.items() if (names := secrets_in(secrets, data))} == {}
