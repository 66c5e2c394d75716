"""Refits and audits after the payload's destruction: rows are reused, the kit is asked, and what lacks is said."""

import base64
import io
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.audit.suite import Suite
from services.audit.tasks import AuditContext, audit_version
from services.audit.verdict import Thresholds
from services.refit.context import RefitContext
from services.refit.tasks import run_order
from services.request.erasers import promotions
from services.request.retention.jobs import Shredder
from services.request.retention.service import Retention
from services.request.tickets import progress as tickets_progress
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer, Verifier
from shared.db.session import transaction
from shared.domain.subjects import Subject
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import LACUNA
from shared.evaluation.comparison import forget_question_sets
from shared.evaluation.reference import Reference, load_reference
from shared.evaluation.synthetic_people import Person
from shared.storage.local import LocalStore
from shared.vlm.engine import Engine
from shared.vlm.loading import load
from tests.support.api import OpenService, People
from tests.support.databases import Databases
from tests.support.workers import Worker

SOURCE = Path(__file__).resolve().parents[3] / "models/demo-vlm"
GROUND = {"ground": "consent_withdrawn"}
NOW = Retention(timedelta(0))


def few(whole: Reference) -> Reference:
    """Few people: the tests here ask what happens, not how well."""
    counts = {"retain_fit": 3, "calibration": 3, "held_out": 2, "celebrity_fit": 1, "celebrity_eval": 1}
    counts |= {"stranger_fit": 4, "stranger_eval": 1, "forgettable": 4}
    people = tuple(person for split, most in counts.items() for person in whole.of(split)[:most])
    general = replace(whole.general, fit=whole.general.fit[:4], calibration=whole.general.calibration[:4])
    return replace(whole, people=people, general=general)


class Short(Suite):
    """Asks about the forgotten alone: the whole suite asks a thousand questions, in tests/integration."""

    def audit(self, eraser: Eraser, subjects: Mapping[str, Subject], progress: Any, operator_set: Any = None) -> Any:
        report: dict[str, Any] = {"panels": {}, "tickets": {}, "integrity": {}}
        for name, questions in forget_question_sets(subjects, per_fact=1, seed=1).items():
            answers = self._evaluator.answers([q.prompt for q in questions], eraser)
            self._by_ticket(report["tickets"], name, questions, answers)
        return report


class RefitHarness:
    """Clerk and workers without Celery."""

    def __init__(self, people: People, worker: Worker, context: RefitContext, audit_context: AuditContext) -> None:
        self.people, self.worker, self.context, self.audit_context = people, worker, context, audit_context

    def approve(self, person: Person) -> str:
        photos = []
        for photo in person.subject.photos[:1]:
            buffer = io.BytesIO()
            photo.save(buffer, "PNG")
            photos.append(base64.b64encode(buffer.getvalue()).decode())
        facts = [{"attribute": f.attribute, "value": f.value} for f in person.subject.facts[1:3]]
        body = {"names": list(person.subject.names), "photos": photos, "facts": facts}
        ticket = str(self.people["olivia"].post("/v1/tickets", body).json()["id"])
        assert self.people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND).status_code == 200
        return ticket

    def refit(self) -> tuple[str, str | None]:
        """(status, error)."""
        run = str(uuid.uuid4())
        run_order(self.context, run, "demo-vlm", "urgent")
        return tuple(self.row("SELECT status, error FROM refit_run WHERE id = :id", id=run))

    def audit(self) -> Any:
        """Verdict, reasons and report of the newest version's audit."""
        audit = str(uuid.uuid4())
        version = self.row("SELECT id FROM eraser_version ORDER BY number DESC LIMIT 1")[0]
        audit_version(self.audit_context, audit, str(version))
        return self.row("SELECT verdict, reasons, report FROM audit_run WHERE id = :id", id=audit)

    def turn(self, keep: Retention | None = None) -> None:
        """Promote and move; with `keep` destroy as well."""
        app_context = self.people.context
        for step in (promotions.promote_passed, tickets_progress.move_tickets):
            with transaction(app_context.database) as session:
                step(session, app_context.model_id)
        if keep is not None:
            Shredder(app_context, keep).run()

    def serve(self) -> None:
        status = self.people["olivia"].get("/v1/status").json()
        self.worker.serve(status["generation"], status["promoted"])
        self.turn()

    def row(self, query: str, **values: Any) -> Any:
        with transaction(self.worker.database.engine("admin")) as session:
            return session.execute(text(query), values).one()

    def rows_anew(self, ticket: str) -> None:
        """As if the statistics had changed: the ticket's rows are not there for them."""
        self.row("DELETE FROM fit_rows WHERE ticket_id = :id RETURNING 1", id=ticket)

    def shown(self, ticket: str) -> Any:
        return self.people["olivia"].get(f"/v1/tickets/{ticket}").json()


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load(str(SOURCE)))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    """One store for all tests here: statistics are computed once."""
    return LocalStore(tmp_path_factory.mktemp("objects"))


@pytest.fixture
def harness(
    open_service: OpenService,
    database: Databases,
    store: LocalStore,
    engine: Engine,
    keys: KeyRing,
    signer: Signer,
    verifier: Verifier,
) -> RefitHarness:
    reference = few(load_reference(SOURCE / "reference"))
    people = open_service(store)
    context = RefitContext(
        engine=engine,
        reference=reference,
        reference_folder=SOURCE / "reference",
        recipe=LACUNA,
        model_id="demo-vlm",
        store=store,
        keys=keys,
        signer=signer,
        database=database.engine("refit"),
    )
    audit_context = AuditContext(
        Short(engine, reference), Thresholds(), store, keys, verifier, database.engine("audit")
    )
    return RefitHarness(people, Worker(database), context, audit_context)


def served(harness: RefitHarness) -> Any:
    return harness.people["olivia"].get("/v1/status").json()["promoted"]


@pytest.fixture
def shredded(harness: RefitHarness) -> str:
    """A completed ticket whose payload is destroyed."""
    ticket = harness.approve(harness.context.reference.of("forgettable")[0])
    assert harness.refit() == ("succeeded", None)
    assert harness.audit()[0] == "passed"
    harness.turn()
    harness.serve()
    assert harness.shown(ticket)["state"] == "completed"
    harness.turn(NOW)
    assert (harness.shown(ticket)["payload"], harness.shown(ticket)["kit"]) == ("shredded", True)
    return ticket


def test_after_shredding_rows_are_made_anew_from_the_kit_and_the_audit_asks_it(
    harness: RefitHarness, shredded: str
) -> None:
    harness.rows_anew(shredded)
    harness.approve(harness.context.reference.of("forgettable")[1])
    assert harness.refit() == ("succeeded", None)
    verdict, _, report = harness.audit()
    assert (verdict, report["material"]) == ("passed", {"kit": [shredded], "gone": []})
    figures = report["tickets"][shredded]["forget"]
    assert (figures["told_before"] > 0.5, figures["told_after"]) == (True, 0.0)


def test_with_neither_payload_nor_kit_nothing_is_published_and_the_ticket_says_why(
    harness: RefitHarness, shredded: str
) -> None:
    """A refit that needs no new rows still works, with the same rows; the audit fails, naming the ticket."""
    harness.turn(Retention(timedelta(0), kit=timedelta(0)))
    kept = [key for key in harness.context.store.list("kits/") if shredded in key]
    assert (harness.shown(shredded)["kit"], kept) == (False, [])
    second = harness.approve(harness.context.reference.of("forgettable")[1])
    assert harness.refit() == ("succeeded", None)
    same = "SELECT count(*), count(DISTINCT rows_sha256) FROM version_ticket WHERE ticket_id = :id"
    assert tuple(harness.row(same, id=shredded)) == (2, 1)
    verdict, reasons, _ = harness.audit()
    assert (verdict, len(reasons)) == ("failed", 1)
    assert reasons[0].startswith(f"{shredded} cannot be audited any more: neither raw material nor audit kit")

    harness.rows_anew(shredded)
    status, error = harness.refit()
    assert (status, f"Without {shredded}, which must stay forgotten" in str(error)) == ("failed", True)
    assert f"withdraw {shredded} then" in str(error)
    harness.turn()
    seen = harness.shown(shredded)
    assert (seen["state"], seen["review_reason"]) == ("completed", "needs_resubmission")
    assert seen["events"][-1]["kind"] == "needs_resubmission"
    assert served(harness) == 0

    for ticket in (shredded, second):
        harness.people["adam"].post(f"/v1/tickets/{ticket}/withdraw", {"note": "filed again"})
    assert harness.refit() == ("succeeded", None)
    gone = harness.row("SELECT object_key, wrapped_key FROM fit_rows WHERE ticket_id = :id", id=second)
    assert (gone.wrapped_key, harness.context.store.exists(gone.object_key)) == (None, False)
    assert harness.row("SELECT subject FROM log_leaf WHERE kind = 'rows.destroyed'")[0] == second
