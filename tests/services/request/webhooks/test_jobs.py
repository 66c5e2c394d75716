"""Webhooks against a real receiver are signed, retried, given up in the end, and never sent to a private address."""

import base64
import contextlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import event, text

from services.request.tickets import escalations
from services.request.webhooks import client
from services.request.webhooks import jobs as webhooks_jobs
from services.request.webhooks.jobs import WebhookDispatcher
from shared.core.clock import utc_now
from shared.crypto.keyring import KeyRing
from shared.db.session import transaction
from shared.errors import BadInput
from tests.support.api import People
from tests.support.databases import Databases


class Receiver:
    """Keeps what it is told; answers `status`."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], str]] = []
        self.status = 204
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.received.append((dict(self.headers), body))
                self.send_response(outer.status)
                self.send_header("Location", "http://127.0.0.1:1/inside")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.server.shutdown()
    started.server.server_close()


@pytest.fixture
def deliverer(database: Databases, keys: KeyRing, people: People, monkeypatch: pytest.MonkeyPatch) -> WebhookDispatcher:
    monkeypatch.setattr(webhooks_jobs, "SEEN_AFTER", timedelta(0))
    object.__setattr__(people.context, "webhook_loopback", True)
    return WebhookDispatcher(database.engine("request"), keys, ("*",), allow_loopback=True)


def hooked(people: People, url: str, *events: str) -> dict[str, Any]:
    answer = people["rosa"].post("/v1/webhooks", {"url": url, "events": list(events) or ["*"]})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def verified(head: dict[str, str], body: str, secret: str) -> bool:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.{body}".encode()
    wanted = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return wanted in head["webhook-signature"].split(" ")


def test_second_control_loop_sends_no_message_again(
    people: People,
    ticket_body: dict[str, Any],
    receiver: Receiver,
    deliverer: WebhookDispatcher,
    database: Databases,
) -> None:
    """The statement by which the second one claims begins before the first one claims, and comes to the row after."""
    hooked(people, receiver.url, "ticket.under_review")
    people["olivia"].post("/v1/tickets", ticket_body)
    deliverer.collect()
    slow = database.engine("control")

    @event.listens_for(slow, "before_cursor_execute", retval=True)
    def sleep_in_it(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        return statement.replace(" AS place", " + length(CAST(pg_sleep(2) AS text)) AS place"), parameters

    other = WebhookDispatcher(slow, deliverer.keys, deliverer.hosts, allow_loopback=True)
    thread = threading.Thread(target=other.deliver)
    thread.start()
    sleeping = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%AS place%'")
    with database.engine("admin").connect() as connection:
        while not connection.execute(sleeping).scalar():
            connection.rollback()
    deliverer.deliver()
    thread.join()
    assert len(receiver.received) == 1


def test_event_is_delivered_once_and_signed(
    people: People, ticket_body: dict[str, Any], receiver: Receiver, deliverer: WebhookDispatcher
) -> None:
    hook = hooked(people, receiver.url, "ticket.under_review")
    ticket = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    for _ in range(2):
        deliverer.collect()
        deliverer.deliver()
    ((head, body),) = receiver.received
    assert verified(head, body, hook["secret"])
    assert json.loads(body)["data"] == {"ticket": ticket, "state": "under_review", "actor": "olivia"}
    assert "Mara" not in body
    (delivery,) = people["ada"].get(f"/v1/webhooks/{hook['id']}/deliveries").json()["items"]
    assert (delivery["state"], delivery["attempts"], delivery["status"]) == ("delivered", 1, 204)
    assert people["rosa"].get(f"/v1/webhooks/{hook['id']}").json().keys().isdisjoint({"secret"})


def test_escalation_event_reports_percent_used_and_due_date(
    people: People, ticket_body: dict[str, Any], receiver: Receiver, deliverer: WebhookDispatcher
) -> None:
    hooked(people, receiver.url, "ticket.clock.escalated")
    received = (utc_now() - timedelta(days=36)).isoformat()  # of 45
    law = {"received_at": received, "regime": "ccpa", "calendar": "US-CA"}
    ticket = people["olivia"].post("/v1/tickets", ticket_body | law).json()
    with transaction(people.context.database) as session:
        escalations.escalate(session, people.context.model_id)
    deliverer.collect()
    deliverer.deliver()
    events = sorted((json.loads(body)["data"] for _, body in receiver.received), key=lambda data: data["percent"])
    assert [data["percent"] for data in events] == [50, 75]
    assert {(data["ticket"], data["due_at"][:19]) for data in events} == {(ticket["id"], ticket["due_at"][:19])}


def test_after_a_rotation_both_secrets_hold(people: People, receiver: Receiver, deliverer: WebhookDispatcher) -> None:
    hook = hooked(people, receiver.url)
    fresh = people["rosa"].post(f"/v1/webhooks/{hook['id']}/rotate").json()["secret"]
    assert people["rosa"].post(f"/v1/webhooks/{hook['id']}/test").status_code == 202
    deliverer.deliver()
    head, body = receiver.received[0]
    assert verified(head, body, hook["secret"])
    assert verified(head, body, fresh)
    assert not verified(head, body + " ", fresh)


def test_failed_delivery_is_retried_and_then_given_up(
    people: People, receiver: Receiver, deliverer: WebhookDispatcher, database: Databases
) -> None:
    hook = hooked(people, receiver.url)
    people["rosa"].post(f"/v1/webhooks/{hook['id']}/test")
    receiver.status = 302  # a redirect is not followed: it is a failure like any other
    tries = len(client.PAUSES_S) + 1
    for _ in range(tries + 2):
        deliverer.deliver()
        with transaction(database.engine("admin")) as session:
            session.execute(text("UPDATE webhook_delivery SET next_at = now() WHERE state = 'waiting'"))
    (delivery,) = people["rosa"].get(f"/v1/webhooks/{hook['id']}/deliveries").json()["items"]
    assert (delivery["state"], delivery["attempts"], delivery["status"]) == ("given_up", tries, 302)
    assert len(receiver.received) == tries


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/x", "https://user:pw@hooks.example.org/", "ftp://hooks.example.org", "https://",
        "https://hooks.example.org:99999/", "https://[::1", "https://hooks.example.org/#x", "http://127.0.0.1:80/",
        "https://elsewhere.example/", "https://häuser.example.org/",
    ],
)  # fmt: skip
def test_url_without_https_or_outside_allowed_hosts_is_refused(url: str, people: People) -> None:
    with pytest.raises(BadInput):
        client.check_url(url, ("hooks.example.org",))
    refused = people["rosa"].post("/v1/webhooks", {"url": url, "events": ["*"]})
    assert refused.status_code == (201 if url == "https://elsewhere.example/" else 422)  # here every host is allowed


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.8", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.1", "100.64.0.1", "224.0.0.1",
        "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_host_that_resolves_to_private_address_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private address is refused in every spelling, even beside a public address of the same host."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def resolved(*_: Any, **__: Any) -> Any:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443)),
            (family, socket.SOCK_STREAM, 6, "", (address, 443)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    outcome = client.send("https://hooks.example.org/", ("*",), "msg_1", 0, "{}", "", allow_loopback=False)
    assert outcome.error == "The webhook's host has an address that is not public."


class DrippingReceiver:
    """Sends a byte now and then and never ends a line; with `after`, only when that many connections were made."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/hook"
        self.ended = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while not self.ended.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._drip, args=(connection,), daemon=True).start()

    def _drip(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while not self.ended.wait(0.05):
                connection.sendall(b"H")


@pytest.fixture
def dripping() -> Iterator[DrippingReceiver]:
    started = DrippingReceiver()
    yield started
    started.ended.set()
    started.listener.close()


def test_receiver_that_drips_bytes_is_cut(dripping: DrippingReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TOTAL_S", 0.4)
    outcome = client.send(dripping.url, ("*",), "msg_1", 0, "{}", "", allow_loopback=True)
    assert outcome.status is None
    assert outcome.error is not None
    assert outcome.error.startswith("There was no answer within")


def test_slow_receiver_holds_up_no_other(
    people: People,
    receiver: Receiver,
    dripping: DrippingReceiver,
    deliverer: WebhookDispatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fifty messages wait for a receiver that never answers, and those to another one are sent meanwhile."""
    monkeypatch.setattr(webhooks_jobs, "ROUND_S", 0.1)
    monkeypatch.setattr(client, "TOTAL_S", 5.0)
    slow, honest = hooked(people, dripping.url), hooked(people, receiver.url)
    for _ in range(50):
        assert people["rosa"].post(f"/v1/webhooks/{slow['id']}/test").status_code == 202
    for _ in range(5):
        assert people["rosa"].post(f"/v1/webhooks/{honest['id']}/test").status_code == 202
    for _ in range(4):
        deliverer.deliver()
    assert len(receiver.received) == 5
    assert len(deliverer._under_way) == webhooks_jobs.MOST_OF_ONE
    dripping.ended.set()
