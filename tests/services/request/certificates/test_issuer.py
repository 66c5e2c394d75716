"""Certificates: issued at completion, again for another version, suspended at the end, and verified offline."""

import base64
import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pypdfium2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from typer.testing import CliRunner

from services.cli.main import app
from services.request.api.csv import escape_cell
from services.request.app import build
from services.request.audit_log.sequencer import Sequencer
from services.request.certificates import pdf as certificates_pdf
from services.request.certificates.issuer import CertificateIssuer
from services.request.certificates.statement import wilson
from services.request.erasers import promotions
from services.request.retention import service as retention_service
from services.request.tickets import progress
from shared.core.config import ControllerSettings
from shared.crypto.signing import Signer, Verifier
from shared.db.models.audits import AuditRun
from shared.db.models.tickets import Ticket
from shared.db.repositories import ticket_fits
from shared.db.repositories import tickets as tickets_repository
from shared.db.session import transaction
from shared.errors import BadInput, IntegrityFailure
from shared.transparency import certificate_verifier
from shared.transparency.media_types import MANIFEST_TYPE, STATEMENT_TYPE
from tests.support.api import MODEL, People
from tests.support.audit_log import LOG_KEY, LOG_SIGNER
from tests.support.databases import Databases
from tests.support.workers import Worker

FIGURES = {"n": 20, "people": 1, "told_before": 0.95, "told_after": 0.0, "unknown_after": 1.0}


ASKED = {"told_before": 0.5, "told_after": 0.0, "told_after_interval": [0.0, 0.045], "told_of_controls": 0.0}


class Scenario:
    """One ticket from filing to completion; the test runs the jobs of the control loop itself."""

    def __init__(self, people: People, worker: Worker, database: Databases, sequencer: Sequencer) -> None:
        self.people, self.worker, self.database = people, worker, database
        self.sequencer, self.issuer = sequencer, CertificateIssuer(sequencer, MODEL, sequencer.database)
        self.generation = 0
        self.depth, self.asked = "changed", 80

    def run_jobs(self) -> None:
        """Run the jobs until everything has settled."""
        for _ in range(3):
            with transaction(self.database.engine("request")) as session:
                promotions.promote_passed(session, MODEL)
                progress.move_tickets(session, MODEL)
            self.sequencer.run_once()
            self.issuer.run_once()
        self.sequencer.run_once()

    def version(self, *tickets: str, acknowledged: bool = True) -> int:
        """Publish a version that covers `tickets`, with an audit that has figures of each, and promote it."""
        number: int = self.worker.publish(*tickets)
        with transaction(self.database.engine("admin")) as session:
            report = {
                "tickets": {ticket: {"forget": FIGURES, "test": FIGURES} for ticket in tickets},
                "ticket_verdicts": {ticket: ASKED | {"depth": self.depth, "asked": self.asked} for ticket in tickets},
                "not_run": ["X"],
            }
            newest = session.query(AuditRun).order_by(AuditRun.finished_at.desc()).first()
            assert newest is not None
            newest.report = report
        self.run_jobs()
        self.generation += 1
        if acknowledged:
            self.worker.serve(self.generation, number)
            self.run_jobs()
        return number

    def statement(self, ticket: str) -> Any:
        """The statement of the newest certificate."""
        envelope = self.people["ada"].get(f"/v1/tickets/{ticket}/certificate").json()
        return certificate_verifier.verify(envelope, [LOG_KEY]).statement["predicate"]


GROUND = {"ground": "consent_withdrawn", "names": ["Mara Lindqvist"]}


@pytest.fixture
def scenario(people: People, worker: Worker, database: Databases, sequencer: Sequencer) -> Scenario:
    return Scenario(people, worker, database, sequencer)


@pytest.fixture
def ticket(scenario: Scenario, people: People, ticket_body: dict[str, Any]) -> str:
    """A completed ticket."""
    ticket_id: str = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    people["adam"].post(f"/v1/tickets/{ticket_id}/approve", GROUND)
    scenario.run_jobs()
    scenario.version(ticket_id)
    return ticket_id


@pytest.fixture
def bundle(people: People, ticket: str) -> bytes:
    return bytes(people["ada"].get(f"/v1/tickets/{ticket}/certificate?format=bundle").content)


class Stamp:
    """Signs as nothing but a test does."""

    def sign(self, pdf: bytes) -> bytes:
        return pdf + b"% signed"


def test_pdf_is_signed_where_there_is_a_key_also_in_the_bundle(people: People, ticket: str) -> None:
    path = f"/v1/tickets/{ticket}/certificate"
    assert not people["ada"].get(f"{path}?format=pdf").content.endswith(b"% signed")
    cast(FastAPI, people.app.app).state.pdf_signer = Stamp()
    assert people["ada"].get(f"{path}?format=pdf").content.endswith(b"% signed")
    with zipfile.ZipFile(io.BytesIO(people["ada"].get(f"{path}?format=bundle").content)) as bundle:
        assert bundle.read("certificate.pdf").endswith(b"% signed")


def test_certificate_is_issued_when_every_replica_acknowledged(
    scenario: Scenario, people: People, ticket_body: dict[str, Any], database: Databases
) -> None:
    ticket_id = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    people["adam"].post(f"/v1/tickets/{ticket_id}/approve", GROUND)
    scenario.version(ticket_id, acknowledged=False)
    refused = people["ada"].get(f"/v1/tickets/{ticket_id}/certificate")
    assert (refused.status_code, "no certificate" in refused.json()["detail"]) == (404, True)
    scenario.worker.serve(1, 0)
    scenario.run_jobs()
    statement = scenario.statement(ticket_id)
    assert (statement["certificate"]["number"], statement["certificate"]["reason"]) == (1, "completed")
    assert (statement["ticket"]["decided_by"], statement["ticket"]["ground"]) == ("adam", "consent_withdrawn")
    assert statement["audit"]["figures"]["test"]["told_after_interval"] == wilson(0, 20)
    assert (statement["deadline"]["regime"], statement["deadline"]["met"]) == ("gdpr", True)
    assert [replica["id"] for replica in statement["serving"]["replicas"]] == ["replica-0"]
    assert "The audit did not run: X." in statement["not_claimed"]
    assert any("weights of the model are unchanged" in sentence for sentence in statement["not_claimed"])


def test_certificate_states_how_much_was_asked_also_after_a_version_that_asked_little(
    scenario: Scenario, ticket: str
) -> None:
    first = scenario.statement(ticket)["audit"]
    assert (first["ticket"]["asked"], first["ticket"]["told_after_interval"]) == (80, [0.0, 0.045])
    assert first["ticket_in_full"] is None
    scenario.depth, scenario.asked = "unchanged", 8
    number = scenario.version(ticket)
    again = scenario.statement(ticket)
    assert again["eraser"]["version"] == number
    assert (again["audit"]["ticket"]["asked"], again["audit"]["ticket_in_full"]["asked"]) == (8, 80)
    assert again["audit"]["ticket_in_full"]["version"] == number - 1


def test_certificate_names_the_controller_and_how_the_identity_was_proved(
    scenario: Scenario, people: People, ticket_body: dict[str, Any]
) -> None:
    scenario.issuer.controller = ControllerSettings(name="Example Ltd", contact="dpo@example.org")
    ticket_id = people["olivia"].post("/v1/tickets", ticket_body | {"external_ref": "case-7"}).json()["id"]
    proof = {"outcome": "verified", "method": "id_document", "note": "seen"}
    people["olivia"].post(f"/v1/tickets/{ticket_id}/identity", proof)
    people["adam"].post(f"/v1/tickets/{ticket_id}/approve", GROUND)
    scenario.run_jobs()
    scenario.version(ticket_id)
    statement = scenario.statement(ticket_id)
    assert statement["controller"] == {"name": "Example Ltd", "contact": "dpo@example.org"}
    assert (statement["ticket"]["identity"], statement["ticket"]["identity_method"]) == ("verified", "id_document")
    for code, words in (
        ("en", ("Example Ltd", "case-7", "identity document", "In plain words", "80 questions about this person",
                "4.5 % at most", "Pictures of the person are covered")),
        ("de", ("Bescheinigung der Unterdrückung", "In einfachen Worten", "80 Fragen über diese Person", "GÜLTIG",
                "Die Gewichte des Modells sind unverändert")),
    ):  # fmt: skip
        answer = people["ada"].get(f"/v1/tickets/{ticket_id}/certificate?format=pdf&language={code}")
        with pypdfium2.PdfDocument(answer.content) as document:
            said = " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())
        assert [phrase for phrase in words if phrase not in said] == [], said
        assert "olivia" not in said
        assert "adam" not in said


def test_certificate_of_an_earlier_version_is_still_shown(people: People, ticket: str) -> None:
    """It has neither controller nor scope nor what was asked in all; its signature does not change."""
    envelope = people["ada"].get(f"/v1/tickets/{ticket}/certificate").json()
    statement = json.loads(base64.b64decode(envelope["payload"]))
    for part, name in (("ticket", "identity_method"), ("ticket", "identity_at"), ("audit", "ticket"),
                       ("audit", "ticket_in_full")):  # fmt: skip
        del statement["predicate"][part][name]
    for name in ("controller", "scope"):
        statement["predicate"].pop(name, None)
    assert certificates_pdf.as_pdf(statement).startswith(b"%PDF")


def test_certificate_and_bundle_hold_no_personal_data(people: People, ticket: str, bundle: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(bundle)) as file:
        everything = b"".join(file.read(name) for name in file.namelist())
    everything += base64.b64decode(people["ada"].get(f"/v1/tickets/{ticket}/certificate").json()["payload"])
    for canary in (b"Lindqvist", b"Marble"):
        assert canary not in everything


def test_certificate_is_reissued_for_a_new_version_and_suspended_at_the_end(
    scenario: Scenario, people: People, ticket: str, database: Databases
) -> None:
    assert scenario.version(ticket) == 1
    statement = scenario.statement(ticket)
    about = statement["certificate"]
    assert (about["number"], about["replaces"], about["reason"]) == (2, 1, "version_changed")
    assert statement["eraser"]["version"] == 1
    scenario.run_jobs()
    assert scenario.statement(ticket)["certificate"]["number"] == 2
    with transaction(database.engine("request")) as session:
        tickets_repository.advance(session, session.get_one(Ticket, ticket), "expose", "clerk")
    scenario.sequencer.run_once()
    scenario.issuer.run_once()
    about = scenario.statement(ticket)["certificate"]
    assert (about["number"], about["status"], about["reason"]) == (3, "suspended", "ticket_regressed")
    scenario.run_jobs()  # the reconciler finds it covered and acknowledged again
    about = scenario.statement(ticket)["certificate"]
    assert (about["number"], about["status"], about["reason"]) == (4, "in_force", "completed_again")


def shred(scenario: Scenario, people: People, ticket: str, thing: Any, *, remove: bool = True) -> None:
    context, database = people.control, people.control.database
    with transaction(database) as session:
        retention_service.shred_key(session, context.store, context.keys, ticket, thing)
    with transaction(database) as session:
        retention_service.destroy_retired_keys(session, context.keys)
    if remove:
        with transaction(database) as session:
            retention_service.delete_objects(session, context.store, MODEL)


def test_destroyed_material_is_certified_once_with_its_leaves(
    scenario: Scenario, people: People, ticket: str, verify: Any, database: Databases
) -> None:
    payload = scenario.statement(ticket)["payload"]
    assert payload["state"] == "destruction_pending"
    assert "still exist" in payload["note"]
    shred(scenario, people, ticket, "payload", remove=False)
    scenario.issuer.run_once()  # the leaf has no signed place yet: nothing is issued, nothing is claimed
    assert scenario.statement(ticket)["certificate"]["number"] == 1
    scenario.run_jobs()
    statement = scenario.statement(ticket)
    about = statement["certificate"]
    assert (about["number"], about["reason"], about["status"]) == (2, "material_destroyed", "in_force")
    assert statement["payload"]["state"] == "key_destroyed"
    assert [(item["what"], item["step"]) for item in statement["destroyed"]] == [("payload", "destroyed")]
    with transaction(database.engine("request")) as session:
        [row] = tickets_repository.list_disposals(session, ticket)
    assert statement["destroyed"][0]["sha256"] == row.sha256
    with transaction(database.engine("request")) as session:
        retention_service.delete_objects(session, people.context.store, MODEL)
    for _ in range(3):
        scenario.run_jobs()
    statement = scenario.statement(ticket)  # told, once
    assert (statement["certificate"]["number"], len(statement["destroyed"])) == (3, 2)
    scenario.version(ticket)
    statement = scenario.statement(ticket)
    assert (statement["certificate"]["reason"], len(statement["destroyed"])) == ("version_changed", 2)
    shred(scenario, people, ticket, "kit")
    for _ in range(2):
        scenario.run_jobs()
    statement = scenario.statement(ticket)
    assert (statement["certificate"]["number"], [item["what"] for item in statement["destroyed"]]) == (
        5,
        ["payload"] * 2 + ["kit"] * 2,
    )
    bundle = people["ada"].get(f"/v1/tickets/{ticket}/certificate?format=bundle").content
    assert verify(bundle)[0] == 0
    envelope = people["ada"].get(f"/v1/tickets/{ticket}/certificate").json()
    for change in (
        lambda s: s["predicate"]["destroyed"][0].update(at="2020-01-01T00:00:00.000000+00:00"),
        lambda s: s["predicate"]["destroyed"][0].update(sha256="00"),
        lambda s: s["predicate"]["destroyed"].clear(),
        lambda s: s["predicate"]["payload"].update(state="sealed_and_kept"),
    ):
        assert "was destroyed" in verify(resigned(envelope, change))[1]


def test_suspended_certificate_names_destroyed_material(
    scenario: Scenario, people: People, ticket: str, database: Databases
) -> None:
    people["adam"].post(f"/v1/tickets/{ticket}/withdraw", {"note": "taken back"})
    scenario.run_jobs()
    assert scenario.statement(ticket)["certificate"]["number"] == 2
    shred(scenario, people, ticket, "payload")
    with transaction(database.engine("refit")) as session:
        ticket_fits.retire_fits_of_closed_tickets(session, MODEL)
    for _ in range(3):
        scenario.run_jobs()
    statement = scenario.statement(ticket)
    about = statement["certificate"]
    assert (about["number"], about["status"], about["reason"]) == (3, "suspended", "material_destroyed")
    assert {(item["what"], item["step"]) for item in statement["destroyed"]} >= {
        ("payload", "destroyed"),
        ("payload", "removed"),
    }


def test_certificates_are_append_only_and_logged(scenario: Scenario, ticket: str, database: Databases) -> None:
    with transaction(database.engine("admin")) as session:
        kinds = list(session.scalars(text("SELECT kind FROM log_leaf WHERE kind LIKE 'certificate.%'")))
    assert kinds == ["certificate.issued"]
    with (
        pytest.raises(Exception, match="append-only"),
        transaction(database.engine("admin")) as session,
    ):
        session.execute(text("DELETE FROM certificate"))


@pytest.fixture
def verify(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """`lacuna verify certificate` of these bytes: exit status and what it says."""

    def run(data: bytes, *options: str, key: str = LOG_KEY.line()) -> tuple[int, str]:
        (tmp_path / "given").write_bytes(data)
        try:
            done = CliRunner().invoke(
                app, ["verify", "certificate", str(tmp_path / "given"), "--key", key, *options], catch_exceptions=False
            )
        except (IntegrityFailure, BadInput) as exc:
            return 1, exc.detail
        return done.exit_code, " ".join(done.output.split())

    return run


def test_certificate_and_bundle_are_verified_with_public_keys_alone(
    verify: Any, people: People, ticket: str, bundle: bytes
) -> None:
    status, output = verify(people["ada"].get(f"/v1/tickets/{ticket}/certificate").content)
    assert (status, output.startswith(f"Certificate 1 holds: as of"), ticket in output) == (0, True, True)  # noqa: F541
    status, output = verify(bundle)
    assert (status, "its issuing is in the log" in output) == (0, True)
    with zipfile.ZipFile(io.BytesIO(bundle)) as file:
        assert file.testzip() is None
        assert file.read("certificate.pdf").startswith(b"%PDF")


def resigned(envelope: dict[str, Any], change: Callable[[Any], None]) -> bytes:
    """The operator, who has the key, signs another statement."""
    statement = json.loads(base64.b64decode(envelope["payload"]))
    change(statement)
    return json.dumps(LOG_SIGNER.sign(json.dumps(statement).encode(), STATEMENT_TYPE)).encode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s["predicate"]["ticket"].update(id="T-OTHER"), "two tickets"),
        (lambda s: s["predicate"]["eraser"].update(version=7), "version 7 was put into service"),
        (lambda s: s["predicate"]["log"]["entries"].pop(0), "was completed"),
        (lambda s: s["predicate"]["log"]["entries"][0].update(position=0), "not in the signed log"),
        (lambda s: s["predicate"]["log"].update(checkpoint="x\n1\n\n\n"), "checkpoint"),
        (lambda s: s["predicate"]["coverage"].update(rows_sha256="0" * 63 + "1"), "not in the coverage"),
        (lambda s: s["predicate"].pop("coverage"), "missing"),
        (lambda s: s.update(predicateType="urn:x"), "not a certificate of suppression"),
    ],
)
def test_signed_claim_that_the_log_does_not_support_is_refused(
    verify: Any, people: People, ticket: str, change: Any, reason: str
) -> None:
    envelope = people["ada"].get(f"/v1/tickets/{ticket}/certificate").json()
    status, answer = verify(resigned(envelope, change))
    assert (status, reason in answer) == (1, True), answer


def test_altered_foreign_or_unlogged_certificate_is_refused(
    verify: Any, people: People, ticket: str, bundle: bytes
) -> None:
    envelope = people["ada"].get(f"/v1/tickets/{ticket}/certificate").json()
    altered = base64.b64decode(envelope["payload"]).replace(b"in_force", b"in_farce")
    assert "altered" in verify(json.dumps(envelope | {"payload": base64.b64encode(altered).decode()}).encode())[1]
    stranger = LOG_KEY.line().replace(LOG_KEY.name, "other.log")
    assert verify(bundle, key=stranger)[0] == 1
    for junk in (b"", b"PK\x03\x04", b"[]", b"{}", b'{"payload": 1}', b"[" * 50_000):
        assert verify(junk)[0] == 1
    another = resigned(envelope, lambda s: s["predicate"].update(claim="Everything."))
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bundle)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, another if name == "certificate.json" else old.read(name))
    assert "does not say that this certificate was issued" in verify(changed.getvalue())[1]


def test_manifest_of_another_eraser_is_refused() -> None:
    signer = Signer(bytes(range(2, 34)))
    envelope = signer.sign(b'{"a":1}', MANIFEST_TYPE)
    digest = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    verifier = Verifier([signer.public])
    certificate_verifier.verify_manifest(envelope, {"eraser": {"manifest_sha256": digest}}, verifier)
    other = signer.sign(b'{"coverage":{"root":"ff"}}', MANIFEST_TYPE)
    statement = {
        "eraser": {"manifest_sha256": sha256(b'{"coverage":{"root":"ff"}}').hexdigest()},
        "coverage": {"root": "00"},
    }
    with pytest.raises(IntegrityFailure, match="other tickets"):
        certificate_verifier.verify_manifest(other, statement, verifier)
    with pytest.raises(IntegrityFailure, match="not that of the eraser"):
        certificate_verifier.verify_manifest(envelope, {"eraser": {"manifest_sha256": None}}, verifier)


def test_csv_has_all_fields_and_no_formula(people: People, ticket: str) -> None:
    text_ = people["olivia"].get(f"/v1/tickets/{ticket}/certificate?format=csv").text
    rows = dict(csv.reader(io.StringIO(text_)))
    assert (rows["ticket.id"], rows["eraser.version"], rows["audit.figures.test.questions"]) == (ticket, "0", "20")
    for bad in ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1"):
        assert escape_cell(bad) == f"'{bad}"


def test_pdf_fetches_nothing_and_shows_names_in_any_script(people: People, ticket: str) -> None:
    envelope = people["ada"].get(f"/v1/tickets/{ticket}/certificate").json()
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["predicate"]["ticket"]["decided_by"] = "Ольга 李 \u202e<script>"
    pdf = certificates_pdf.as_pdf(statement)
    assert pdf.startswith(b"%PDF")
    assert not re.search(rb"/(URI|JavaScript|JS|Launch|AcroForm|EmbeddedFile|GoToR)\b", pdf)


def test_certificate_commands_save_and_verify(
    people: People, ticket: str, listening: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LACUNA_URL", listening(build(people.context)))
    monkeypatch.setenv("LACUNA_KEY", people.keys["olivia"])
    for ending in ("json", "pdf", "csv", "zip"):
        out = tmp_path / f"c.{ending}"
        done = CliRunner().invoke(app, ["certificate", "get", ticket, "--out", str(out)])
        assert (done.exit_code, out.stat().st_size > 500) == (0, True), done.output
    for wrong in (["T-NONE", "--out", "x.json"], [ticket, "--out", "x.doc"]):
        assert CliRunner().invoke(app, ["certificate", "get", *wrong]).exit_code != 0
