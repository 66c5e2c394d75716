"""The exchange with the platform, against a stand-in that is served over HTTP."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.request.context import AlarmThresholds
from services.request.drop import lists
from services.request.drop.jobs import DropListRunner
from services.request.drop.platform import DropPlatform, PlatformClient
from services.request.drop.sandbox import Sandbox, lists_of
from services.request.monitoring.checks import find_overdue
from shared.db.models.drop_lists import DropList
from shared.db.session import transaction
from shared.domain.drop_identifiers import hash_text
from shared.errors import BadInput, Unavailable
from tests.services.request.drop.conftest import EVA, EVAS_PHONE, MARA, MARAS_EMAIL, MARAS_PHONE, Drop
from tests.support.databases import Databases


class Exchange:
    """The platform's stand-in and the jobs of the control loop that talk to it."""

    def __init__(self, drop: Drop, url: str, sandbox: Sandbox, every: timedelta) -> None:
        self.drop, self.sandbox = drop, sandbox
        self.client = PlatformClient(url, sandbox.key)
        self.platform = DropPlatform(drop.people.control, self.client, drop.file, every=every)
        self.runner = DropListRunner(drop.people.control, drop.file, answer=self.platform.answer_not_found)

    def round(self) -> None:
        """One round of both jobs, without the pause between two."""
        self.platform._send_at = self.platform._fetch_at = 0.0
        with transaction(self.drop.people.control.database) as session:
            session.execute(text("UPDATE drop_list SET next_at = NULL"))
        self.platform.run()
        self.runner.run_all()

    def status(self, hashed: str) -> str | None:
        """What the platform was told about a hash."""
        return self.sandbox.statuses.get(self.sandbox.item_of(hashed))

    def newest(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The newest download and its matches."""
        (row, *_) = self.drop.people["olivia"].get("/v1/drop-lists").json()["items"]
        return self.drop.shown(f"/v1/drop-lists/{row['id']}")


@pytest.fixture
def exchange(drop: Drop, listening: Callable[[Any], str]) -> Exchange:
    """A platform with two people of the register and one stranger on its list of telephones."""
    strangers = hash_text("2025550100")
    sandbox = Sandbox("key", {"Phone": [MARAS_PHONE, strangers, EVAS_PHONE], "Email": []}, prepare=1)
    return Exchange(drop, listening(sandbox.app), sandbox, timedelta())


def test_statuses_go_to_the_platform_as_they_are_decided_and_changed(exchange: Exchange) -> None:
    exchange.round()  # the download is being prepared
    assert exchange.drop.people["olivia"].get("/v1/drop-lists").json()["items"] == []
    exchange.round()
    row, matches = exchange.newest()
    assert (row["status"], row["rows"], row["matched"], row["fetched"]) == ("succeeded", 3, 2, True)
    assert sorted(exchange.sandbox.statuses.values()) == ["5"]  # the stranger, at once
    by_item = {match["item"]: match["ticket"] for match in matches}
    mara, eva = (by_item[exchange.sandbox.item_of(hashed)] for hashed in (MARAS_PHONE, EVAS_PHONE))
    exchange.round()  # the platform gives nothing until all is answered
    assert len(exchange.sandbox.statuses) == 1
    exchange.drop.reject(mara, "freedom_of_expression")
    exchange.round()
    assert (exchange.status(MARAS_PHONE), exchange.status(EVAS_PHONE)) == ("2", None)
    exchange.drop.reject(eva, "no_match")
    exchange.round()
    assert exchange.status(EVAS_PHONE) == "5"
    files = dict(exchange.sandbox.files)
    exchange.round()
    assert exchange.sandbox.files == files  # nothing is sent twice
    row, matches = exchange.newest()
    assert row["rows"] == 0  # the platform had nothing new
    assert matches == []


def test_what_was_fetched_can_be_approved(exchange: Exchange) -> None:
    """Nobody of the operator filed it, so that anybody who may approve is a second person."""
    for _ in range(2):
        exchange.round()
    _, (match, *_) = exchange.newest()
    ticket = exchange.drop.ticket(match["ticket"])
    assert ticket["submitted_by"] == "clerk"
    adam = exchange.drop.people["adam"]
    assert adam.post(f"/v1/tickets/{match['ticket']}/material", {"reason": "To decide."}).is_success
    approved = adam.post(f"/v1/tickets/{match['ticket']}/approve", {})
    assert approved.status_code == 200, approved.text


def test_changed_status_is_amended(exchange: Exchange, drop: Drop, database: Databases) -> None:
    exchange.round()
    exchange.round()
    _, matches = exchange.newest()
    for match in matches:
        drop.reject(match["ticket"], "no_match")
    exchange.round()
    assert exchange.status(MARAS_PHONE) == "5"
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE ticket SET decision_code = 'legal_claims'"))
    exchange.round()
    assert exchange.status(MARAS_PHONE) == "2"


def test_next_download_has_what_is_new_and_what_was_taken_back(exchange: Exchange, drop: Drop) -> None:
    exchange.round()
    exchange.round()
    _, matches = exchange.newest()
    for match in matches:
        drop.reject(match["ticket"], "no_match")
    phone = exchange.sandbox.item_of(EVAS_PHONE)
    exchange.sandbox.hashes = {"Email": [MARAS_EMAIL]}
    exchange.sandbox.removed = [(phone, EVAS_PHONE, "Phone")]
    exchange.round()
    row, (match,) = exchange.newest()
    assert (row["rows"], row["removed"]) == (1, 1)
    assert drop.ticket(match["ticket"])["state"] == "under_review"


def test_platform_is_asked_when_a_download_is_due_alone(drop: Drop, listening: Callable[[Any], str]) -> None:
    sandbox = Sandbox("key", {"Phone": []})
    exchange = Exchange(drop, listening(sandbox.app), sandbox, timedelta(days=30))
    exchange.round()
    sandbox.hashes = {"Phone": [MARAS_PHONE]}
    exchange.round()
    items = drop.people["olivia"].get("/v1/drop-lists").json()["items"]
    assert [(row["rows"], row["status"]) for row in items] == [(0, "succeeded")]


def test_download_that_cannot_be_matched_is_not_fetched_and_not_lost(exchange: Exchange, drop: Drop) -> None:
    exchange.sandbox.prepare = 0
    drop.write({"name": "Mara", "identifiers": {"vin": "short"}})
    with pytest.raises(BadInput):
        exchange.round()
    assert exchange.sandbox.items == {}
    drop.write(MARA)
    exchange.platform._send_at = exchange.platform._fetch_at = 0.0
    exchange.platform.run()
    drop.write({"name": "Mara", "identifiers": {"vin": "short"}})
    with pytest.raises(BadInput):
        exchange.runner.run()
    assert not exchange.runner.run()  # not at once again
    row, _ = exchange.newest()
    assert row["status"] == "waiting"
    assert "identifiers.vin" in row["error"]
    drop.write(MARA, EVA)
    exchange.round()
    row, matches = exchange.newest()
    assert (row["status"], len(matches)) == ("succeeded", 2)


def alarms(drop: Drop) -> list[str]:
    with transaction(drop.people.context.database) as session:
        return [
            check.sentence
            for check in find_overdue(session, drop.people.context.model_id, AlarmThresholds())
            if check.name == "drop"
        ]


def test_list_that_is_always_refused_stops_no_other(
    exchange: Exchange, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform refuses its answer for good; the next list is fetched and matched all the same."""
    exchange.sandbox.prepare = 0
    exchange.platform.run()
    bad = exchange.newest()[0]["id"]
    answer = exchange.platform.answer_not_found

    def refused(row: DropList, *rest: Any) -> None:
        if str(row.id) == bad:
            raise BadInput("DROP answered 400 when it was sent 20261101_4821_Phone_notfound.csv.")
        answer(row, *rest)

    exchange.runner.answer = refused
    assert alarms(drop) == []
    for attempt in (1, 2):
        with pytest.raises(BadInput):
            exchange.runner.run_all()
        row, matches = exchange.newest()
        assert (row["id"], row["status"], row["attempts"], len(matches)) == (bad, "waiting", attempt, 2)
        exchange.runner.run_all()  # the next attempt is not due yet
        assert row["next_at"] > row["created_at"]
        for match in matches:
            if drop.ticket(match["ticket"])["state"] == "under_review":
                drop.reject(match["ticket"], "no_match")
        with transaction(drop.people.control.database) as session:
            session.execute(text("UPDATE drop_list SET next_at = NULL"))
    (alarm,) = alarms(drop)
    assert "DROP answered 400" in alarm
    assert exchange.sandbox.statuses == {}
    exchange.platform.send_decided()
    exchange.sandbox._open.clear()  # the stranger is answered by hand
    exchange.sandbox.hashes = {"Email": [MARAS_EMAIL]}
    with pytest.raises(BadInput):
        exchange.round()
    row, matches = exchange.newest()
    assert (row["status"], row["rows"], len(matches)) == ("succeeded", 1, 1)
    exchange.runner.answer = answer
    exchange.sandbox._open.update(exchange.sandbox.items)
    exchange.round()
    assert drop.shown(f"/v1/drop-lists/{bad}")[0]["status"] == "succeeded"
    assert alarms(drop) == []


def test_download_that_cannot_be_read_is_kept_until_it_can(
    exchange: Exchange, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform has a new kind of list, say, and does not give the download twice."""
    exchange.sandbox.prepare = 0
    read = lists.read_download

    def unknown(*_: Any) -> Any:
        raise BadInput(lists.NAMES)

    monkeypatch.setattr(lists, "read_download", unknown)
    monkeypatch.setattr("services.request.drop.jobs.read_download", unknown)
    exchange.platform.run()
    row, _ = exchange.newest()
    assert (row["status"], row["rows"], row["error"]) == ("waiting", 0, lists.NAMES)
    assert len(alarms(drop)) == 1
    with pytest.raises(BadInput):
        exchange.runner.run_all()
    monkeypatch.setattr("services.request.drop.jobs.read_download", read)
    with transaction(drop.people.control.database) as session:
        session.execute(text("UPDATE drop_list SET next_at = NULL"))
    exchange.runner.run_all()
    row, matches = exchange.newest()
    assert (row["status"], row["rows"], len(matches)) == ("succeeded", 3, 2)


def test_list_that_cannot_be_matched_for_45_days_has_failed(exchange: Exchange, drop: Drop) -> None:
    exchange.sandbox.prepare = 0
    exchange.platform.run()
    drop.write({"name": "Mara", "identifiers": {"vin": "short"}})
    with transaction(drop.people.control.database) as session:
        session.execute(text("UPDATE drop_list SET created_at = now() - interval '46 days'"))
    exchange.runner.run_all()
    row, _ = exchange.newest()
    assert (row["status"], "identifiers.vin" in row["error"]) == ("failed", True)
    assert alarms(drop) == []


def test_file_that_the_platform_refuses_keeps_back_no_other(
    exchange: Exchange, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.sandbox.prepare = 0
    exchange.sandbox.hashes = {"Phone": [EVAS_PHONE], "Email": [MARAS_EMAIL]}
    exchange.round()
    _, matches = exchange.newest()
    for match in matches:
        drop.reject(match["ticket"], "no_match")
    send = PlatformClient.send

    def refusing(client: PlatformClient, name: str, content: str, *, amend: bool) -> None:
        if "Phone" in name:
            raise Unavailable(f"DROP answered 400 when it was sent {name}.")
        send(client, name, content, amend=amend)

    monkeypatch.setattr(PlatformClient, "send", refusing)
    with pytest.raises(Unavailable, match="400"):
        exchange.platform.send_decided()
    assert (exchange.status(MARAS_EMAIL), exchange.status(EVAS_PHONE)) == ("5", None)


def test_wrong_key_and_dead_platform_are_named(exchange: Exchange) -> None:
    with pytest.raises(Unavailable, match="401"):
        PlatformClient(exchange.client.url, "wrong").download()
    with pytest.raises(Unavailable, match="401"):
        PlatformClient(exchange.client.url, "wrong").send("x.csv", "Id,Status\n", amend=False)
    with pytest.raises(Unavailable, match="cannot be reached"):
        PlatformClient("http://127.0.0.1:9", "key").download()


def test_stand_in_makes_lists_of_a_file_of_people(drop: Drop) -> None:
    lists = lists_of(drop.file, 3)
    assert MARAS_PHONE in lists["Phone"]
    assert len(lists["Phone"]) == 5
    assert len(lists["CTVID"]) == 3


def test_what_was_decided_is_sent_while_no_download_is_due(exchange: Exchange, drop: Drop) -> None:
    exchange.round()
    exchange.round()
    _, matches = exchange.newest()
    for match in matches:
        drop.reject(match["ticket"], "no_match")
    exchange.platform._send_at, exchange.platform._fetch_at = 0.0, float("inf")
    exchange.platform.run()
    assert exchange.status(MARAS_PHONE) == "5"
