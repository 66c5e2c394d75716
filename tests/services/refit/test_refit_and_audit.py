"""Refit and audit on the demo model, a real database and a folder: what is built, what is refused, what waits."""

import base64
import hashlib
import io
import uuid
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.audit.suite import Suite
from services.audit.tasks import AuditContext, audit_version
from services.audit.verdict import Thresholds, judge
from services.refit import pipeline
from services.refit.context import RefitContext
from services.refit.tasks import nightly, run_order
from shared.artifacts.erasers import load_verified_eraser
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer, Verifier
from shared.db.models.erasers import EraserVersion
from shared.db.session import transaction
from shared.erasure.recipe import LACUNA
from shared.errors import IntegrityFailure, StoreUnavailable
from shared.evaluation.reference import Reference, load_reference
from shared.evaluation.synthetic_people import Person
from shared.storage.local import LocalStore
from shared.vlm.engine import Engine
from shared.vlm.loading import load
from tests.support.api import OpenService, People
from tests.support.databases import Databases

PROJECT_ROOT = Path(__file__).resolve().parents[3]
SOURCE = PROJECT_ROOT / "models/demo-vlm"


class Fragile(LocalStore):
    """A folder that can be away."""

    away = False

    def put(self, key: str, data: bytes) -> None:
        self._there()
        super().put(key, data)

    def get(self, key: str) -> bytes:
        self._there()
        return super().get(key)

    def _there(self) -> None:
        if self.away:
            raise StoreUnavailable("The object store cannot be reached.")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load(str(SOURCE)))


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference(SOURCE / "reference")


@pytest.fixture(scope="module")
def suite(engine: Engine, reference: Reference) -> Suite:
    return Suite(engine, reference)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Fragile:
    """One store for all tests here: statistics are computed once."""
    return Fragile(tmp_path_factory.mktemp("objects"))


class RefitHarness:
    """The workers without Celery, over the test's own database."""

    def __init__(self, people: People, context: RefitContext, audit_context: AuditContext) -> None:
        self.people, self.context, self.audit_context = people, context, audit_context

    def approve(self, person: Person) -> str:
        """A ticket about `person` that is approved."""
        facts = [{"attribute": f.attribute, "value": f.value} for f in person.subject.facts]
        photos = [base64.b64encode(_png(photo)).decode() for photo in person.subject.photos]
        body = {"names": list(person.subject.names), "photos": photos, "facts": facts}
        olivia, adam = self.people["olivia"], self.people["adam"]
        ticket = str(olivia.post("/v1/tickets", body).json()["id"])
        assert adam.post(f"/v1/tickets/{ticket}/approve", {"ground": "consent_withdrawn"}).status_code == 200
        return ticket

    def refit(self, kind: str = "urgent", run: str | None = None) -> str:
        """Carry out an order; its status."""
        run = run or str(uuid.uuid4())
        run_order(self.context, run, "demo-vlm", kind)
        return str(self.one("SELECT status FROM refit_run WHERE id = :id", id=run))

    def audit(self, number: int) -> tuple[str | None, list[str]]:
        """Audit a version: (verdict, reasons)."""
        audit, version = str(uuid.uuid4()), self.version(number)
        audit_version(self.audit_context, audit, str(version.id))
        with transaction(self.people.context.database) as session:
            found = session.execute(text("SELECT verdict, reasons FROM audit_run WHERE id = :id"), {"id": audit}).one()
        return found[0], found[1]

    def version(self, number: int) -> EraserVersion:
        """The row of a version."""
        with transaction(self.people.context.database) as session:
            found: EraserVersion = session.query(EraserVersion).filter_by(number=number).one()
            return found

    def one(self, query: str, **values: Any) -> Any:
        """A single value."""
        with transaction(self.people.context.database) as session:
            return session.execute(text(query), values).scalar_one()


def _png(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def harness(
    open_service: OpenService,
    database: Databases,
    store: Fragile,
    engine: Engine,
    reference: Reference,
    suite: Suite,
    keys: KeyRing,
    signer: Signer,
    verifier: Verifier,
) -> RefitHarness:
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
    audit_context = AuditContext(suite, Thresholds(), store, keys, verifier, database.engine("audit"))
    return RefitHarness(open_service(store), context, audit_context)


def test_version_0_is_empty_and_passes_its_audit(harness: RefitHarness) -> None:
    assert harness.refit("initial") == "succeeded"
    assert harness.audit(0) == ("passed", [])
    assert harness.refit() == "nothing_to_do"


def test_one_more_ticket_leaves_the_others_rows_bit_for_bit(harness: RefitHarness, reference: Reference) -> None:
    """Both are forgotten by the second version, which passes; the first person's rows are the same object as before."""
    first, second = (harness.approve(person) for person in reference.of("forgettable")[:2])
    harness.people["adam"].post(f"/v1/tickets/{second}/withdraw", {"note": "later"})
    assert harness.refit() == "succeeded"
    before = harness.version(0).manifest["tickets"]
    third = harness.approve(reference.of("forgettable")[1])
    assert harness.refit() == "succeeded"
    assert harness.audit(1) == ("passed", [])
    after = {entry["ticket"]: entry["rows_sha256"] for entry in harness.version(1).manifest["tickets"]}
    assert after.keys() == {first, third}
    assert before == [{"ticket": first, "rows_sha256": after[first]}]
    eraser = load_verified_eraser(
        harness.context.store, harness.context.keys, harness.audit_context.verifier, harness.version(1)
    )
    assert set(eraser.tickets) == {first, third}


def test_of_a_stranger_nothing_leaks_and_nothing_is_fitted(harness: RefitHarness, reference: Reference) -> None:
    ticket = harness.approve(reference.of("stranger_eval")[0])
    harness.refit()
    assert harness.one("SELECT outcome FROM refit_run_ticket WHERE ticket_id = :id", id=ticket) == "no_leak_found"
    assert harness.version(0).manifest["tickets"] == []


def test_a_refit_waits_for_the_store_and_goes_on(harness: RefitHarness, reference: Reference, store: Fragile) -> None:
    ticket, run = harness.approve(reference.of("forgettable")[2]), str(uuid.uuid4())
    store.away = True
    try:
        assert harness.refit(run=run) == "waiting"
        assert "cannot be reached" in harness.one("SELECT error FROM refit_run WHERE id = :id", id=run)
    finally:
        store.away = False
    assert harness.refit(run=run) == "succeeded"
    assert harness.one("SELECT ticket_id FROM version_ticket") == ticket
    store.away = True
    try:
        assert harness.audit(0) == (None, [])
    finally:
        store.away = False
    assert harness.audit(0) == ("passed", [])


def test_an_altered_byte_fails_the_audit(harness: RefitHarness, store: Fragile) -> None:
    harness.refit("initial")
    version = harness.version(0)
    blob = bytearray(store.get(version.object_key))
    blob[len(blob) // 2] ^= 1
    store.put(version.object_key, bytes(blob))
    verdict, reasons = harness.audit(0)
    assert verdict == "failed"
    assert "altered" in reasons[0]
    with pytest.raises(IntegrityFailure, match="sha256"):
        load_verified_eraser(store, harness.context.keys, harness.audit_context.verifier, version)


def test_a_manifest_of_another_signer_is_not_believed(harness: RefitHarness) -> None:
    harness.refit("initial")
    stranger = Verifier([Signer.generate()[1]])
    with pytest.raises(IntegrityFailure, match="not signed by a key that is trusted"):
        load_verified_eraser(harness.context.store, harness.context.keys, stranger, harness.version(0))
    forged = harness.version(0)
    forged.manifest = forged.manifest | {"number": 7}
    with pytest.raises(IntegrityFailure, match="not the one that was signed"):
        load_verified_eraser(harness.context.store, harness.context.keys, harness.audit_context.verifier, forged)


def test_altered_rows_fail_the_refit_and_lose_nothing(
    harness: RefitHarness, reference: Reference, store: Fragile
) -> None:
    ticket = harness.approve(reference.of("forgettable")[3])
    harness.refit()
    key = harness.one("SELECT object_key FROM fit_rows WHERE ticket_id = :id", id=ticket)
    whole = store.get(key)
    store.put(key, whole[:-1] + bytes([whole[-1] ^ 1]))
    harness.approve(reference.of("forgettable")[4])
    run = str(uuid.uuid4())
    assert harness.refit(run=run) == "failed"
    assert "altered" in harness.one("SELECT error FROM refit_run WHERE id = :id", id=run)
    store.put(key, whole)
    assert harness.refit() == "succeeded"


def test_a_night_is_refitted_once(harness: RefitHarness, reference: Reference) -> None:
    harness.approve(reference.of("forgettable")[5])
    for _ in range(2):
        nightly(harness.context, date(2026, 11, 24))
    assert harness.one("SELECT count(*) FROM refit_run WHERE kind = 'nightly'") == 1
    assert harness.one("SELECT count(*) FROM eraser_version") == 1


def test_a_verdict_names_every_figure_that_is_not_good_enough() -> None:
    panels = {
        "forget": {"told_after": 0.06, "identical": 0.0},
        "test": {"told_after": 0.19, "identical": 0.0},
        "retain": {"told_after": 1.0, "identical": 0.98},
        "stranger": {"told_after": 0.0, "identical": 0.98},
    }
    verdict = judge({"integrity": {"finite": True, "batch_equals_single": False}, "panels": panels}, Thresholds())
    assert verdict.word == "failed"
    assert [reason.partition(":")[0] for reason in verdict.reasons] == ["integrity", "forget", "retain"]
    assert judge({"integrity": {"finite": True}, "panels": {"test": panels["test"]}}, Thresholds()).word == "passed"


def test_forward_makes_a_version_by_the_old_recipe_even_where_everybody_is_covered(harness: RefitHarness) -> None:
    assert harness.refit("initial") == "succeeded"
    assert harness.refit() == "nothing_to_do"
    run = str(uuid.uuid4())
    run_order(harness.context, run, "demo-vlm", "forward", recipe="lacuna")
    version = harness.version(1)
    assert (version.recipe, version.number) == ("lacuna", 1)
    assert version.manifest["coverage"] == {"root": version.coverage_root, "tickets": 0}


def test_a_worker_that_lost_its_lease_overwrites_nothing(
    harness: RefitHarness, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stood still with rows in its hands while another published; what it still writes is refused, and beside."""
    ticket, run = harness.approve(reference.of("forgettable")[6]), str(uuid.uuid4())
    fit, taken = pipeline._fit_ticket, list[str]()

    def stand_still(*args: Any) -> Any:
        made = fit(*args)
        if not taken:
            taken.append(run)
            with transaction(harness.context.database) as session:
                session.execute(text("UPDATE refit_run SET lease_until = now() - interval '1 second'"))
            assert harness.refit(run=run) == "succeeded"
        return made

    monkeypatch.setattr(pipeline, "_fit_ticket", stand_still)
    assert harness.refit(run=run) == "succeeded"
    assert harness.one("SELECT fence FROM refit_run WHERE id = :id", id=run) == 2
    assert harness.one("SELECT count(*) FROM eraser_version") == 1
    key = harness.one("SELECT object_key FROM fit_rows WHERE ticket_id = :id", id=ticket)
    stored = hashlib.sha256(harness.context.store.get(key)).hexdigest()
    assert harness.one("SELECT sha256 FROM fit_rows WHERE ticket_id = :id", id=ticket) == stored
