"""The rollback guard: nobody is exposed by one person, by SQL or by a backup; what two people may do."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.request.break_glass import service as break_glass_service
from services.request.erasers import promotions
from services.request.restores import jobs as restores_jobs
from services.request.tickets import progress
from shared.artifacts import high_water_mark
from shared.artifacts.high_water_mark import NO_MARK, HighWaterMark
from shared.core.clock import utc_now
from shared.crypto.keyring import KeyRing
from shared.db.session import transaction
from shared.errors import Conflict, IntegrityFailure, StaleRestore
from shared.storage.local import LocalStore
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.workers import Worker

GROUND = {"ground": "consent_withdrawn"}
ASK = {"reason": "version 1 answers nothing at all", "minutes": 30}


def approved(people: People, body: dict[str, Any], **more: Any) -> str:
    ticket = str(people["olivia"].post("/v1/tickets", body | {"urgent": True} | more).json()["id"])
    names = (body | more)["names"]
    assert people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND | {"names": names}).status_code == 200
    return ticket


def run_jobs(people: People) -> None:
    for step in (break_glass_service.expire, promotions.promote_passed, progress.move_tickets):
        with transaction(people.context.database) as session:
            step(session, people.context.model_id)


def state(people: People, ticket: str) -> str:
    return str(people["olivia"].get(f"/v1/tickets/{ticket}").json()["state"])


def promoted(people: People) -> tuple[int, int]:
    status = people["olivia"].get("/v1/status").json()
    return status["promoted"], status["generation"]


def admin(database: Databases, statement: str) -> None:
    with transaction(database.engine("admin")) as session:
        session.execute(text(statement))


@pytest.fixture
def erased(people: People, worker: Worker, ticket_body: dict[str, Any]) -> str:
    """A ticket that version 1 completes; version 0 is empty."""
    worker.publish()
    ticket = approved(people, ticket_body)
    worker.publish(ticket)
    run_jobs(people)
    worker.serve(1, 1)
    run_jobs(people)
    assert state(people, ticket) == "completed"
    return ticket


@pytest.mark.parametrize(
    ("service", "statement", "says"),
    [
        ("request", "UPDATE desired_state SET version_id = {zero}, generation = 9", "expose 1 forgotten"),
        ("request", "UPDATE desired_state SET generation = generation - 1", "must grow"),
        ("request", "UPDATE ticket SET required_since = NULL", "cannot be changed"),
        ("request", "UPDATE ticket SET required_since = now() + interval '1 day'", "cannot be changed"),
        ("request", "UPDATE ticket SET model_id = 'other'", "cannot be changed"),
        ("request", "UPDATE ticket SET state = 'rejected'", "cannot go from completed"),
        ("request", "DELETE FROM ticket", "permission denied"),
        ("request", "INSERT INTO version_ticket SELECT {zero}, id, '' FROM ticket", "permission denied"),
        ("request", "INSERT INTO lifecycle_move VALUES ('completed', 'rejected')", "permission denied"),
        ("request", "ALTER TABLE desired_state DISABLE TRIGGER guard", "must be owner"),
        ("request", "SET session_replication_role = replica", "permission denied"),
        ("request", "UPDATE break_glass SET minutes = 9", "permission denied"),
        (
            "request",
            "INSERT INTO break_glass (id, model_id, version_id, reason, minutes, asked_by, asked_at, confirmed_by, "
            "confirmed_at, expires_at) "
            "VALUES (gen_random_uuid(), 'demo-vlm', {zero}, 'x', 5, 'a', now(), 'b', now(), now())",
            "must begin unconfirmed",
        ),
        ("refit", "UPDATE desired_state SET version_id = {zero}", "permission denied"),
        ("refit", "UPDATE ticket SET state = 'withdrawn'", "permission denied"),
        ("refit", "DELETE FROM version_ticket", "permission denied"),
        ("audit", "UPDATE desired_state SET version_id = {zero}", "permission denied"),
        ("audit", "INSERT INTO break_glass_ticket VALUES (gen_random_uuid(), 'T')", "permission denied"),
        ("inference", "UPDATE desired_state SET version_id = {zero}", "permission denied"),
        ("inference", "UPDATE ticket SET state = 'withdrawn'", "permission denied"),
    ],
)
def test_statement_that_would_expose_somebody_is_refused_for_every_role(
    people: People, database: Databases, erased: str, service: str, statement: str, says: str
) -> None:
    zero = "(SELECT id FROM eraser_version WHERE number = 0)"
    with pytest.raises(Exception, match=says), transaction(database.engine(service)) as session:
        session.execute(text(statement.format(zero=zero)))
    assert promoted(people) == (1, 1)


def test_coverage_added_after_publication_breaks_the_commitment(
    people: People, database: Databases, erased: str
) -> None:
    """The refit role may insert coverage: but not into a version that has committed to other tickets."""
    with transaction(database.engine("refit")) as session:
        session.execute(
            text("INSERT INTO version_ticket SELECT id, :t, '' FROM eraser_version WHERE number = 0"), {"t": erased}
        )
    response = people["oscar"].post("/v1/erasers/0/rollback")
    assert (response.status_code, response.json()["type"].rsplit("/")[-1]) == (500, "integrity-failure")
    assert promoted(people) == (1, 1)


def test_refused_rollback_names_the_alternatives(people: People, erased: str) -> None:
    body = people["oscar"].post("/v1/erasers/0/rollback").json()
    assert (body["count"], body["tickets"], body["ways"]) == (1, [erased], ["forward", "break-glass"])


def test_forward_rollback_orders_old_recipe_with_todays_tickets(
    people: People, database: Databases, erased: str
) -> None:
    assert people["oscar"].post("/v1/erasers/99/forward").status_code == 404
    assert people["oscar"].post("/v1/erasers/0/forward", **{"If-Match": '"g0"'}).status_code == 412
    head = {"Authorization": f"Bearer {people.keys['oscar']}"}
    assert people.app.post("/v1/erasers/0/forward", json={}, headers=head).status_code == 428
    order = people["oscar"].post("/v1/erasers/0/forward")
    assert order.status_code == 202
    with transaction(database.engine("request")) as session:
        kwargs = session.execute(
            text("SELECT kwargs FROM outbox WHERE id = :id"), {"id": order.json()["id"]}
        ).scalar_one()
    assert (kwargs["kind"], kwargs["recipe"]) == ("forward", "lacuna")


def test_break_glass_needs_two_people_and_expires(
    people: People, worker: Worker, database: Databases, erased: str
) -> None:
    access = people["rosa"].post("/v1/erasers/0/break-glass", ASK).json()
    assert (access["state"], access["tickets"]) == ("asked", [erased])
    run_jobs(people)
    assert promoted(people) == (1, 1)
    assert people["oscar"].post("/v1/erasers/0/rollback").status_code == 409
    path = f"/v1/break-glass/{access['id']}"
    assert people["rosa"].post(f"{path}/confirm").json()["type"].endswith("/four-eyes")
    alone = "UPDATE break_glass SET confirmed_by = asked_by, confirmed_at = now(), expires_at = now()"
    with pytest.raises(Conflict, match="a second person"), transaction(database.engine("request")) as session:
        session.execute(text(alone))
    opened = people["viktor"].post(f"{path}/confirm").json()
    assert (opened["state"], opened["confirmed_by"]) == ("open", "viktor")
    assert (promoted(people), state(people, erased)) == ((0, 2), "regressed")
    for longer in ("expires_at = expires_at + interval '1 minute'", "confirmed_by = 'x'"):
        with (
            pytest.raises(Exception, match="confirmed once and ended once"),
            transaction(database.engine("request")) as session,
        ):
            session.execute(text(f"UPDATE break_glass SET {longer}"))  # noqa: S608
    worker.serve(2, 0)
    run_jobs(people)
    assert (promoted(people), state(people, erased)) == ((0, 2), "regressed")
    admin(database, "ALTER TABLE break_glass DISABLE TRIGGER guard")
    admin(database, "ALTER TABLE exposure DISABLE TRIGGER guard")
    admin(database, "UPDATE break_glass SET expires_at = now() - interval '1 second'")
    admin(database, "UPDATE exposure SET started_at = started_at - interval '90 seconds'")
    run_jobs(people)
    assert promoted(people) == (1, 3)
    ledger = people["ada"].get(path).json()
    assert (ledger["state"], ledger["ended_by"], ledger["exposure"][0]["seconds"]) == ("ended", "clerk", None)
    worker.serve(3, 1)
    run_jobs(people)
    seconds = people["ada"].get("/v1/break-glass").json()["items"][0]["exposure"][0]["seconds"]
    assert seconds >= 90
    run_jobs(people)
    assert state(people, erased) == "completed"


def test_break_glass_ended_early_has_to_be_requested_again(people: People, worker: Worker, erased: str) -> None:
    assert people["rosa"].post("/v1/erasers/0/break-glass", ASK, **{"If-Match": '"g0"'}).status_code == 412
    access = people["rosa"].post("/v1/erasers/0/break-glass", ASK).json()
    seen = {"If-Match": people["viktor"].get(f"/v1/break-glass/{access['id']}").headers["etag"]}
    people["viktor"].post(f"/v1/break-glass/{access['id']}/confirm", **seen)
    assert people["oscar"].post(f"/v1/break-glass/{access['id']}/end", **seen).status_code == 412
    assert people["oscar"].post(f"/v1/break-glass/{access['id']}/end").json()["state"] == "ended"
    assert promoted(people) == (1, 3)
    for verb in ("end", "confirm"):
        assert people["viktor"].post(f"/v1/break-glass/{access['id']}/{verb}").status_code == 409
    assert people["rosa"].post("/v1/erasers/1/break-glass", ASK).status_code == 409


def test_later_audit_regresses_tickets_that_leak(
    people: People, worker: Worker, database: Databases, erased: str
) -> None:
    with transaction(database.engine("admin")) as session:
        version = session.execute(text("SELECT id::text FROM eraser_version WHERE number = 1")).scalar_one()
    worker.audit(version, "failed", revealed=0.5)
    run_jobs(people)
    run_jobs(people)
    assert state(people, erased) == "regressed"
    assert people["oscar"].post("/v1/erasers/0/rollback").status_code == 409


def test_ticket_whose_own_figures_fail_is_not_completed(
    people: People, worker: Worker, database: Databases, ticket_body: dict[str, Any]
) -> None:
    worker.publish()
    ticket = approved(people, ticket_body)
    worker.publish(ticket, verdict=None)
    with transaction(database.engine("admin")) as session:
        version = session.execute(text("SELECT id::text FROM eraser_version WHERE number = 1")).scalar_one()
    worker.audit(version, "passed", revealed=0.5)
    for _ in range(2):
        run_jobs(people)
        worker.serve(1, 1)
    shown = people["olivia"].get(f"/v1/tickets/{ticket}").json()
    assert (shown["state"], shown["review_reason"]) == ("failed", "own_audit_failed")


def test_rollback_returns_deploying_tickets_to_scheduled(
    people: People, worker: Worker, erased: str, ticket_body: dict[str, Any]
) -> None:
    second = approved(people, ticket_body, names=["Ida Borg"])
    worker.publish(erased, second)
    run_jobs(people)
    assert state(people, second) == "deploying"
    assert people["oscar"].post("/v1/erasers/1/rollback").status_code == 200
    run_jobs(people)
    assert (state(people, second), state(people, erased)) == ("scheduled", "completed")


def test_withdrawal_orders_a_refit_only_after_a_fit(
    people: People, database: Databases, erased: str, ticket_body: dict[str, Any]
) -> None:
    def orders() -> int:
        with transaction(database.engine("request")) as session:
            return int(session.execute(text("SELECT count(*) FROM outbox WHERE queue = 'refit'")).scalar_one())

    early = str(people["olivia"].post("/v1/tickets", ticket_body | {"names": ["Ida Borg"]}).json()["id"])
    before = orders()
    people["olivia"].post(f"/v1/tickets/{early}/withdraw", {"note": "asked to"})
    assert orders() == before
    alone = people["olivia"].post(f"/v1/tickets/{erased}/withdraw", {"note": "by herself"})
    assert (alone.status_code, alone.json()["type"].rpartition("/")[2]) == (403, "four-eyes")
    assert (state(people, erased), orders()) == ("completed", before)
    people["adam"].post(f"/v1/tickets/{erased}/withdraw", {"note": "asked to"})
    assert orders() == before + 1


def test_withdrawal_under_legal_hold_is_refused(people: People, erased: str) -> None:
    assert people["adam"].post(f"/v1/tickets/{erased}/hold", {"reason": "a case at court"}).status_code < 300
    refused = people["adam"].post(f"/v1/tickets/{erased}/withdraw", {"note": "asked to"})
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "legal-hold")
    assert state(people, erased) == "completed"


def test_database_from_an_old_backup_is_refused(
    people: People, worker: Worker, keys: KeyRing, store: LocalStore, erased: str
) -> None:
    model = people.context.model_id

    def raise_mark(known: HighWaterMark | None) -> HighWaterMark:
        with transaction(people.context.database) as session:
            return restores_jobs.raise_high_water_mark(session, store, keys, model, known)

    high_water_mark.write(store, keys, model, NO_MARK)  # as the control loop does before anything is published
    now = raise_mark(None)
    assert (now.generation, now.version) == (1, 1)
    assert raise_mark(now) == now
    assert people["olivia"].get("/v1/status").json()["stale"] is None
    high_water_mark.write(store, keys, model, HighWaterMark(now.generation + 1, now.version, now.log_size))
    with pytest.raises(StaleRestore, match="generation 1 \\(it was 2\\)"):
        raise_mark(None)
    assert high_water_mark.read(store, keys, model).highest().generation == 2
    assert "Restore a newer backup" in people["olivia"].get("/v1/status").json()["stale"]
    key = f"highwater/{model}"
    store.put(key, store.get(key).replace(b'generation\\": 2', b'generation\\": 0'))
    with pytest.raises(IntegrityFailure, match="altered"):
        raise_mark(None)


def test_confirmation_a_day_after_the_request_is_refused(people: People, database: Databases, erased: str) -> None:
    access = people["rosa"].post("/v1/erasers/0/break-glass", ASK).json()
    admin(database, "ALTER TABLE break_glass DISABLE TRIGGER guard")
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE break_glass SET asked_at = :at"), {"at": utc_now() - timedelta(hours=25)})
    assert "request it again" in people["viktor"].post(f"/v1/break-glass/{access['id']}/confirm").json()["detail"]
