"""The jobs of the control loop work for every tenant, each in a context of its own, and no tenant stops another one."""

from functools import partial

import pytest
from sqlalchemy import select, text

from services.request.context import AlarmThresholds, AppContext
from services.request.erasers import jobs as erasers_jobs
from services.request.monitoring.alarms import update_alarms
from services.request.tickets import jobs as tickets_jobs
from services.request.tickets.progress import Limits
from services.request.worker.per_tenant import PerTenant, Run
from shared.db.models.operations import Alarm
from shared.db.models.transparency import LogLeaf
from shared.db.models.webhooks import WebhookDelivery
from shared.db.session import transaction
from shared.db.tenants import of_tenant
from shared.errors import Conflict, LacunaError, StaleRestore
from tests.support.api import MODEL, People
from tests.support.databases import Databases
from tests.support.tenants import OTHER, OTHER_MODEL, SUBJECT, add_tenant
from tests.support.workers import Worker


def recorded(people: People, errors: dict[str, LacunaError] | None = None) -> tuple[PerTenant, list[str]]:
    """A job that writes down for which model it ran, and raises the error of that model."""
    ran: list[str] = []

    def make(context: AppContext) -> Run:
        def run() -> float:
            ran.append(context.model_id)
            if error := (errors or {}).get(context.model_id):
                raise error
            return float(len(ran))

        return run

    return PerTenant(people.context, make), ran


def test_job_runs_for_a_tenant_that_is_new_and_asks_for_the_shortest_pause(people: People) -> None:
    job, ran = recorded(people)
    assert (job.run(), ran) == (1.0, [MODEL])
    add_tenant(people)
    assert (job.run(), ran) == (2.0, [MODEL, MODEL, OTHER_MODEL])


def test_job_that_fails_for_one_tenant_runs_for_the_others(people: People) -> None:
    add_tenant(people)
    job, ran = recorded(people, {MODEL: Conflict("one"), OTHER_MODEL: Conflict("two")})
    with pytest.raises(Conflict, match="one"):
        job.run()
    assert ran == [MODEL, OTHER_MODEL]


def test_older_database_ends_the_job_for_all(people: People) -> None:
    add_tenant(people)
    job, ran = recorded(people, {MODEL: StaleRestore("old")})
    with pytest.raises(StaleRestore):
        job.run()
    assert ran == [MODEL]


def test_tickets_of_each_tenant_are_forgotten_by_its_own_versions(people: People, database: Databases) -> None:
    """Filed alike in both tenants: a version of one completes the ticket of one, and covers no other."""
    other = add_tenant(people)
    ground = {"ground": "consent_withdrawn", "names": ["Mara Lindqvist"]}
    tickets = {
        MODEL: (people["olivia"].post("/v1/tickets", SUBJECT).json()["id"], people["adam"]),
        OTHER_MODEL: (other["officer"].post("/v1/tickets", SUBJECT).json()["id"], other["approver"]),
    }
    for ticket, approver in tickets.values():
        assert approver.post(f"/v1/tickets/{ticket}/approve", ground).status_code == 200
    worker = Worker(database, OTHER_MODEL)
    number = worker.publish(tickets[OTHER_MODEL][0])
    jobs = [
        PerTenant(people.context, lambda each: partial(erasers_jobs.promote, each)),
        PerTenant(people.context, lambda each: partial(tickets_jobs.move, each, Limits())),
    ]
    for job in jobs:
        job.run()
    worker.serve(1, number)
    jobs[1].run()
    states = {
        model: approver.get(f"/v1/tickets/{ticket}").json()["state"] for model, (ticket, approver) in tickets.items()
    }
    assert states == {MODEL: "approved", OTHER_MODEL: "completed"}
    assert people["rosa"].get("/v1/status").json()["promoted"] is None
    assert other["admin"].get("/v1/status").json()["promoted"] == number
    with transaction(database.engine("request")) as session:
        leaf = session.scalars(select(LogLeaf).where(LogLeaf.kind == "ticket.completed")).one()
        assert (leaf.subject, leaf.tenant_id) == (tickets[OTHER_MODEL][0], OTHER)


def test_alarm_about_a_tenants_model_is_that_tenants(people: People, database: Databases) -> None:
    other = add_tenant(people)
    for admin in (people["rosa"], other["admin"]):
        assert admin.post("/v1/webhooks", {"url": "https://hooks.example.org/x", "events": ["*"]}).status_code == 201
    worker = Worker(database, OTHER_MODEL)
    worker.publish()
    PerTenant(people.context, lambda each: partial(erasers_jobs.promote, each)).run()
    with transaction(database.engine("admin")) as session:
        session.execute(
            text("INSERT INTO pulse SELECT unnest(ARRAY['clerk','relay','sequencer','refit','audit']), now()")
        )
    for tenant, model in (("default", MODEL), (OTHER, OTHER_MODEL)):
        with transaction(of_tenant(people.context.database, tenant)) as session:
            update_alarms(session, model, AlarmThresholds())
    with transaction(database.engine("request")) as session:
        assert set(session.scalars(select(Alarm.name).where(Alarm.cleared_at.is_(None)))) == {f"inference/{OTHER}"}
        bodies = session.scalars(select(WebhookDelivery.body)).all()
        assert len(bodies) == 1
        assert OTHER_MODEL in bodies[0]
    assert [alarm["name"] for alarm in other["admin"].get("/v1/status").json()["alarms"]] == ["inference"]
    assert people["rosa"].get("/v1/status").json()["alarms"] == []
