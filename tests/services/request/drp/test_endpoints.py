"""Agents set up a token, send requests, follow and revoke them; each sees its own alone."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.request.drp.jobs import CallbackSender
from services.request.letters.laws import LAWS
from services.request.webhooks import client
from shared.core.clock import utc_now
from shared.db.session import transaction
from tests.services.request.drp.conftest import REQUESTS, Decide, TestAgent, signed
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.workers import Worker


def tickets(people: People) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = people["olivia"].get("/v1/tickets").json()["items"]
    return items


def test_request_becomes_a_ticket_that_a_second_person_decides(agent: TestAgent, people: People) -> None:
    answer = agent.send(address={"locality": "Fresno"}, phone_number="+14155559317")
    assert answer.status_code == 200, answer.text
    status = answer.json()
    assert (status["status"], "reason" in status) == ("in_progress", False)
    assert status["expected_by"] > status["received_at"]
    (ticket,) = tickets(people)
    shown = people["olivia"].get(f"/v1/tickets/{ticket['id']}").json()
    assert (shown["state"], shown["source"], shown["external_ref"]) == ("under_review", "drp", status["request_id"])
    assert (shown["regime"], shown["names"], shown["identity"]) == ("ccpa", 1, "assumed")
    notes = [event["note"] for event in shown["events"] if event["kind"] == "drp.received"]
    assert notes == ["Sent by the agent AGENT_A, which says that it has verified: email."]
    contact = people["olivia"].post(f"/v1/tickets/{ticket['id']}/contact", {"reason": "x"}).json()["contact"]
    assert contact == {"email": "mara@example.com", "phone_number": "+14155559317", "address": "locality: Fresno"}
    assert agent.show(status["request_id"]).json() == status
    assert agent.client.get("/drp/v1/agent/AGENT_A", headers=agent.head).json() == {}


@pytest.mark.parametrize("code", LAWS["ccpa"].reasons)
def test_every_reason_of_a_refusal_has_a_word_of_the_protocol(
    agent: TestAgent, people: People, decide: Decide, code: str
) -> None:
    number = agent.send().json()["request_id"]
    decide(tickets(people)[0]["id"], "reject", {"code": code, "note": "Mara Lindqvist asked twice."})
    status = agent.show(number).json()
    words = {
        "no_match": "no_match",
        "insufficient_verification": "insuf_verification",
        "excessive": "too_many_requests",
        "manifestly_unfounded": "other",
    }
    assert (status["status"], status["reason"]) == ("denied", words.get(code, "claim_not_covered"))
    assert status["processing_details"] == LAWS["ccpa"].reasons[code].sentence  # not the words to the person
    assert agent.revoke(number).status_code == 409


def test_withdrawn_completed_and_doubted_tickets(agent: TestAgent, people: People, decide: Decide) -> None:
    number = agent.send().json()["request_id"]
    ticket = tickets(people)[0]["id"]
    decide(ticket, "identity", {"outcome": "doubted", "note": "x"})
    assert agent.show(number).json()["processing_details"] == "The identity is being verified."
    decide(ticket, "withdraw", {"note": "x"})
    assert agent.show(number).json()["status"] == "revoked"


def test_revocation_withdraws_the_ticket_or_tells_an_officer(agent: TestAgent, people: People, decide: Decide) -> None:
    number = agent.send().json()["request_id"]
    for _ in range(2):
        answer = agent.revoke(number)
        assert (answer.status_code, answer.json()["status"]) == (200, "revoked")
    assert tickets(people)[0]["state"] == "withdrawn"
    number = agent.send(name="Ida Borg").json()["request_id"]
    held = tickets(people)[0]["id"]
    decide(held, "hold", {"reason": "a claim"})
    assert agent.revoke(number).json()["status"] == "revoked"
    shown = people["olivia"].get(f"/v1/tickets/{held}").json()
    assert shown["state"] == "under_review"
    assert [event["note"] for event in shown["events"] if event["kind"] == "drp.revoked"] == ["I changed my mind."]


def test_agent_sees_and_revokes_its_own_requests_alone(agents: tuple[TestAgent, TestAgent]) -> None:
    one, two = agents[0].ready(), agents[1].ready()
    number = one.send().json()["request_id"]
    for answer in (
        two.show(number),
        two.revoke(number),
        one.show("00000000-0000-4000-8000-000000000000"),
        one.show("x"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "403")
    assert one.client.get("/drp/v1/agent/AGENT_B", headers=one.head).status_code == 403
    foreign = signed(two.key, two.request())
    assert one.send_raw(foreign).status_code == 403  # signed by another agent than the token's
    assert one.send_raw(signed(one.key, two.request())).status_code == 403


def test_same_message_and_same_reference_file_one_ticket(agent: TestAgent, people: People) -> None:
    body = signed(agent.key, agent.request(**{"agent-request-id": "r-1"}))
    first = agent.send_raw(body).json()
    assert agent.send_raw(body).json() == first
    assert agent.send(**{"agent-request-id": "r-1"}).json() == first
    plain = signed(agent.key, agent.request(name="Ida Borg"))
    assert agent.send_raw(plain).status_code == 200
    assert agent.send_raw(plain).status_code == 403
    assert len(tickets(people)) == 2


def test_message_sent_at_the_same_time_files_one_ticket(agent: TestAgent, people: People) -> None:
    body = signed(agent.key, agent.request())
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(agent.send_raw(body).status_code)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 403, 403, 403]
    assert len(tickets(people)) == 1


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"exercise": "sale:opt-out"}, "deletion alone"),
        ({"exercise": None}, "deletion alone"),
        ({"regime": "gdpr"}, "regime"),
        ({"name": None}, "name"),
        ({"name": "What Is"}, "ordinary"),
        ({"name": "a\nb"}, "name"),
        ({"name": ["Mara"]}, "name"),
        ({"status_callback": "http://agent.example.com/x"}, "status_callback"),
        ({"status_callback": "https://user@agent.example.com/x"}, "status_callback"),
        ({"drp.version": "3"}, "drp.version"),
    ],
)
def test_request_that_cannot_be_used_is_refused_for_good(
    agent: TestAgent, people: People, changed: dict[str, Any], says: str
) -> None:
    answer = agent.send(**changed)
    assert (answer.status_code, answer.json()["code"], answer.json()["fatal"]) == (400, "400", True)
    assert says in answer.json()["message"]
    assert tickets(people) == []


def test_request_without_a_law_has_the_usual_one(agent: TestAgent, people: People) -> None:
    assert agent.send(regime=None, email=None).status_code == 200
    assert tickets(people)[0]["regime"] == "gdpr"


def test_token_needs_a_signature_of_the_registry_and_replaces_the_last(
    agents: tuple[TestAgent, TestAgent], people: People
) -> None:
    one, two = agents
    old = utc_now() - timedelta(hours=2)
    for answer in (
        one.set_up(two.key),
        one.set_up(one.key, "AGENT_B"),
        one.set_up(one.key, "NOBODY"),
        one.set_up(**{"business-id": "OTHER"}),
        one.set_up(**{"issued-at": old.isoformat(), "expires-at": (old + timedelta(minutes=5)).isoformat()}),
        one.client.post("/drp/v1/agent/AGENT_A", content=b"x"),
    ):
        assert (answer.status_code, answer.content) == (403, b"")
    first = one.ready()
    second = one.ready()
    assert first.send().status_code == 401
    assert second.send().status_code == 200
    body = signed(one.key, one.claims())
    assert one.client.post("/drp/v1/agent/AGENT_A", content=body).status_code == 200
    assert one.client.post("/drp/v1/agent/AGENT_A", content=body).status_code == 403  # the same message again
    assert replace(one, token="").send().status_code == 401
    assert people.app.post(REQUESTS, content=b"").status_code == 404  # off unless there is a registry


def test_tokens_are_stored_as_digests_and_logs_have_neither_names_nor_tokens(
    agent: TestAgent, database: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        agent.send()
    with transaction(database.engine("admin")) as session:
        stored = list(session.execute(text("SELECT to_jsonb(t)::text FROM drp_token t")).scalars())
        stored += session.execute(text("SELECT to_jsonb(t)::text FROM drp_request t")).scalars().all()
        stored += session.execute(text("SELECT detail::text FROM log_leaf")).scalars().all()
    for secret in (agent.token, "Mara", "mara@"):
        assert not any(secret in row for row in stored)
        assert not any(secret in record.getMessage() for record in caplog.records)


def test_agent_whose_requests_nobody_decides_sends_no_more(agent: TestAgent, people: People, decide: Decide) -> None:
    network = cast(FastAPI, agent.client.app).state.drp
    cast(FastAPI, agent.client.app).state.drp = replace(network, most_waiting=1)
    assert agent.send().status_code == 200
    full = agent.send(name="Ida Borg")
    assert (full.status_code, "fatal" in full.json(), full.headers["retry-after"]) == (503, False, "3600")
    decide(tickets(people)[0]["id"], "reject", {"code": "no_match", "note": "x"})
    assert agent.send(name="Ida Borg").status_code == 200


def test_large_bodies_are_refused(agent: TestAgent) -> None:
    assert agent.send_raw(b"x" * 70_000).status_code == 413


@pytest.fixture
def callbacks(people: People, listening: Callable[[Any], str]) -> tuple[str, list[Any], list[int]]:
    """An agent's address for callbacks, what it received, and how it answers next."""
    heard: list[Any] = []
    answers: list[int] = []

    async def take(request: Request) -> Response:
        heard.append(await request.json())
        return Response(status_code=answers.pop(0) if answers else 200)

    object.__setattr__(people.context, "webhook_loopback", True)
    return listening(Starlette(routes=[Route("/status", take, methods=["POST"])])), heard, answers


def test_agent_is_told_each_change_once_and_again_after_a_failure(
    agents: tuple[TestAgent, TestAgent],
    people: People,
    decide: Decide,
    callbacks: tuple[str, list[Any], list[int]],
    database: Databases,
) -> None:
    url, heard, answers = callbacks
    agent = agents[0].ready()
    number = agent.send(status_callback=f"{url}/status").json()["request_id"]
    sender = CallbackSender(people.control)

    def round_() -> None:
        sender._next_at = 0.0
        sender.run()

    round_()
    assert heard == []  # the answer to the request said it
    answers.append(500)
    decide(tickets(people)[0]["id"], "reject", {"code": "no_match", "note": "x"})
    round_()
    round_()  # the next attempt is not due yet
    assert [each["status"] for each in heard] == ["denied"]
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE drp_request SET callback_next_at = now()"))
    round_()
    round_()
    assert [(each["request_id"], each["reason"]) for each in heard] == [(number, "no_match")] * 2


def test_second_control_loop_calls_no_agent_again(
    agents: tuple[TestAgent, TestAgent],
    people: People,
    decide: Decide,
    callbacks: tuple[str, list[Any], list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second one has seen the change before the first one began to tell it, and comes while it is being told."""
    url, heard, _ = callbacks
    agents[0].ready().send(status_callback=f"{url}/status")
    decide(tickets(people)[0]["id"], "reject", {"code": "no_match", "note": "x"})
    first, second = CallbackSender(people.control), CallbackSender(people.control)
    (waiting,) = second._waiting()
    send = client.send

    def sending(*what: Any, **more: Any) -> client.DeliveryResult:
        monkeypatch.setattr(client, "send", send)
        second._tell(waiting)
        return send(*what, **more)

    monkeypatch.setattr(client, "send", sending)
    first.run()
    second._tell(waiting)
    assert [each["status"] for each in heard] == ["denied"]


def test_completed_ticket_is_fulfilled(agent: TestAgent, people: People, database: Databases, worker: Worker) -> None:
    number = agent.send().json()["request_id"]
    with transaction(database.engine("admin")) as session:
        session.execute(text("ALTER TABLE ticket DISABLE TRIGGER USER"))
        session.execute(text("UPDATE ticket SET state = 'completed', clock = 'stopped'"))
    status = agent.show(number).json()
    assert (status["status"], "expected_by" in status) == ("fulfilled", False)


def test_agent_learns_nothing_of_an_earlier_request_before_the_identity_is_verified(
    agent: TestAgent, people: People, database: Databases, decide: Decide
) -> None:
    """Else an agent sends a name, and the answer says whether somebody has asked for that person, and what came of it.

    What an agent sends has a name alone and is set aside as a duplicate by nothing today, so the row is changed here.
    """
    earlier = people["olivia"].post("/v1/tickets", {"names": ["Mara Lindqvist"]}).json()["id"]
    number = agent.send().json()["request_id"]
    own = tickets(people)[0]["id"]
    before = agent.show(number).json()
    with transaction(database.engine("admin")) as session:
        session.execute(text("ALTER TABLE ticket DISABLE TRIGGER USER"))
        session.execute(
            text("UPDATE ticket SET state = 'duplicate', clock = 'stopped', duplicate_of = :earlier WHERE id = :own"),
            {"earlier": earlier, "own": own},
        )
        session.execute(text("UPDATE ticket SET state = 'completed' WHERE id = :earlier"), {"earlier": earlier})
        session.execute(text("ALTER TABLE ticket ENABLE TRIGGER USER"))
    assert agent.show(number).json() == before
    assert before["status"] == "in_progress"
    decide(own, "identity", {"outcome": "verified", "method": "email_link", "note": "x"})
    assert agent.show(number).json()["status"] == "fulfilled"
