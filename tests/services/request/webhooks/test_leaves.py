"""Webhooks are told which version is served and which failed its audit, once, and of what they asked for alone."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.request.erasers import promotions
from services.request.webhooks import jobs as webhooks_jobs
from services.request.webhooks.jobs import WebhookDispatcher
from shared.crypto.keyring import KeyRing
from shared.db.session import transaction
from tests.support.api import MODEL, People
from tests.support.databases import Databases
from tests.support.workers import Worker


def told(database: Databases) -> list[tuple[str, Any]]:
    with transaction(database.engine("admin")) as session:
        rows = session.execute(text("SELECT event, body FROM webhook_delivery ORDER BY created_at, id")).all()
    return [(event, json.loads(body)["data"]) for event, body in rows]


def test_versions_and_audits_are_announced_once(
    people: People, worker: Worker, database: Databases, keys: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks_jobs, "SEEN_AFTER", timedelta(0))
    object.__setattr__(people.context, "webhook_loopback", True)
    dispatcher = WebhookDispatcher(database.engine("request"), keys, ("*",), allow_loopback=True)
    for wanted in (["eraser.*", "audit.failed"], ["ticket.*"]):
        body = {"url": "http://127.0.0.1:9/hook", "events": wanted}
        assert people["rosa"].post("/v1/webhooks", body).status_code == 201
    failed, passed = worker.publish(verdict="failed"), worker.publish(verdict="passed")
    with transaction(people.context.database) as session:
        promotions.promote_passed(session, MODEL)
    for _ in range(2):
        dispatcher.collect()
    events = dict(told(database))
    assert sorted(event for event, _ in told(database)) == ["audit.failed", "eraser.promoted"]
    assert events["audit.failed"]["version"] == failed
    assert events["audit.failed"]["reasons"] == ["as the test wants"]
    assert (events["eraser.promoted"]["model"], events["eraser.promoted"]["version"]) == (MODEL, passed)


@pytest.mark.parametrize("event", ["ticket", "tickets.*", "*.failed", "eraser.", "log.*"])
def test_other_events_are_refused(people: People, event: str) -> None:
    body = {"url": "https://hooks.example.org/x", "events": [event]}
    assert people["rosa"].post("/v1/webhooks", body).status_code == 422
