"""Refits and audits under way: what is shown is what the workers wrote, and who may follow it for how long."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from services.request.console import progress, streams
from services.request.console.sessions import begin_with_key
from services.request.console.visit import COOKIE
from shared.core.server import GRACEFUL_S, configuration
from shared.db.repositories import refits
from shared.db.session import transaction
from shared.devstack.ports import LOOPBACK
from shared.errors import NotReady, TooManyRequests
from tests.support.api import MODEL, People
from tests.support.console import Browser
from tests.support.workers import Worker

Listening = Callable[[Any], str]


@pytest.fixture
def url(people: People, listening: Listening) -> str:
    return listening(people.app.app)


def cookies(people: People, name: str) -> dict[str, str]:
    """The cookie of a new session."""
    return {COOKIE: begin_with_key(people.context.database, people.keys[name]).secret}


@contextmanager
def stream(url: str, people: People, name: str) -> Iterator[Iterator[str]]:
    """The events of the stream as `name` reads it: the data of each, without those that say nothing new."""
    with (
        httpx.Client(timeout=20, cookies=cookies(people, name)) as client,
        client.stream("GET", f"{url}{progress.EVENTS}") as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "script-src 'self'" in answer.headers["content-security-policy"]

        def events() -> Iterator[str]:
            data: list[str] = []
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    data.append(line[len("data: ") :])
                elif not line and data:
                    yield "\n".join(data)
                    data = []

        yield events()


def open_streams(people: People) -> int:
    return int(cast(FastAPI, people.app.app).state.console_streams.open)


def wait_until(is_so: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def write_stage(worker: Worker, run: str, fence: int, stage: str, **counts: Any) -> None:
    with transaction(worker.database.engine("refit")) as session:
        refits.renew_lease(session, run, fence, stage, 30, counts or None)


class TestPart:
    def test_order_that_no_worker_took_is_shown_as_such_and_then_its_stage_with_what_is_counted(
        self, people: People, worker: Worker
    ) -> None:
        oscar = Browser(people).sign_in("oscar")
        with transaction(people.context.database) as session:
            order = str(refits.order_refit(session, MODEL, "urgent"))
        assert oscar.open(progress.PATH).words.count("no worker has taken it yet") == 2  # and version 0
        claim = worker.claim(order)
        words = oscar.open(progress.PATH).words
        assert words.count("no worker has taken it yet") == 1
        assert "a worker has begun" in words
        write_stage(worker, claim.run, claim.fence, "fitting", done=3, total=12, what="tickets")
        assert "being fitted: 3 / 12 requests" in oscar.open(progress.PATH).words

    def test_run_whose_worker_is_silent_is_not_shown_as_one_that_goes_on(self, people: People, worker: Worker) -> None:
        oscar = Browser(people).sign_in("oscar")
        worker.claim(lease_s=-1)
        assert "Its worker is not heard of any more." in oscar.open(progress.PATH).words
        worker.claim(lease_s=30)
        assert oscar.open(progress.PATH).words.count("Its worker is not heard of any more.") == 1

    def test_page_without_a_script_has_the_state_and_a_link_that_refreshes_it(
        self, people: People, worker: Worker
    ) -> None:
        worker.publish()
        worker.claim()
        page = Browser(people).sign_in("oscar").open("/console/erasers")
        assert "a worker has begun" in page.words
        assert "/console/erasers" in page.links


class TestStream:
    def test_each_stage_is_sent_as_it_is_written(self, url: str, people: People, worker: Worker) -> None:
        with stream(url, people, "oscar") as events:
            assert "no worker has taken it yet" in next(events)  # version 0
            claim = worker.claim()
            assert "a worker has begun" in next(events)
            write_stage(worker, claim.run, claim.fence, "fitting", done=3, total=12, what="tickets")
            assert "3 / 12" in next(events)
        wait_until(lambda: open_streams(people) == 0)

    def test_stream_ends_with_the_session_before_anything_more_is_sent(
        self, url: str, people: People, worker: Worker
    ) -> None:
        with stream(url, people, "oscar") as events:
            next(events)
            key = next(k for k in people["rosa"].get("/v1/keys").json()["items"] if k["owner"] == "oscar")
            assert people["rosa"].post(f"/v1/keys/{key['id']}/revoke").status_code == 200
            worker.claim()
            assert list(events) == []

    def test_streams_of_a_person_are_bounded_and_others_are_served(
        self, url: str, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cast(FastAPI, people.app.app).state, "console_streams", streams.Streams(3, 2))
        with stream(url, people, "oscar") as first, stream(url, people, "oscar") as second:
            assert next(first)
            assert next(second)
            refused = httpx.get(f"{url}{progress.EVENTS}", cookies=cookies(people, "oscar"))
            assert refused.status_code == 429
            with stream(url, people, "rosa") as other:
                assert next(other)
                full = httpx.get(f"{url}{progress.EVENTS}", cookies=cookies(people, "viktor"))
                assert full.status_code == 503
        wait_until(lambda: open_streams(people) == 0)

    def test_who_has_no_session_or_no_right_gets_no_stream(self, url: str, people: People) -> None:
        assert httpx.get(f"{url}{progress.EVENTS}").status_code == 303
        other = {COOKIE: "unknown"}
        assert httpx.get(f"{url}{progress.EVENTS}", cookies=other).status_code == 303

    def test_stream_is_closed_when_the_service_shuts_down(self, people: People) -> None:
        config = configuration(people.app.app, lifespan="off", host=LOOPBACK, port=0)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        with stream(f"http://{LOOPBACK}:{port}", people, "oscar") as events:
            next(events)
            server.should_exit = True
            assert list(events) == []  # its end, and no error of the connection
        thread.join(timeout=GRACEFUL_S / 2)  # sooner than answers under way are given up
        assert not thread.is_alive()


class TestStreams:
    def test_many_streams_of_a_subject_share_a_look(self) -> None:
        looks: list[int] = []

        def look() -> int:
            looks.append(1)
            return len(looks)

        async def look_often() -> list[Any]:
            shared = streams.Streams()
            return await asyncio.gather(*(shared.look("m", look) for _ in range(20)))

        assert asyncio.run(look_often()) == [1] * 20
        assert looks == [1]

    def test_place_is_free_again_when_a_stream_ends(self) -> None:
        taken = streams.Streams(most=2, most_of_person=1)
        taken.take("a")
        with pytest.raises(TooManyRequests):
            taken.take("a")
        taken.take("b")
        with pytest.raises(NotReady):
            taken.take("c")
        taken.give_back("a")
        taken.take("a")
        assert taken.open == 2
