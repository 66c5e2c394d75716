"""The certificate: issued with completion, again with another version, suspended with the end; verified offline."""

import base64
import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
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


class Desk:
    """One ticket from filing to completion, with the clerk's steps by hand."""

    def __init__(self, people: People, worker: Worker, database: Databases, sequencer: Sequencer) -> None:
        self.people, self.worker, self.database = people, worker, database
        self.sequencer, self.certifier = sequencer, CertificateIssuer(sequencer, MODEL)
        self.generation = 0

    def clerk(self) -> None:
        """Enough turns for everything to settle."""
        for _ in range(3):
            with transaction(self.database.engine("request")) as session:
                promotions.promote_passed(session, MODEL)
                progress.move_tickets(session, MODEL)
            self.sequencer.turn()
            self.certifier.turn()
        self.sequencer.turn()

    def version(self, *tickets: str, acknowledged: bool = True) -> int:
        """A version that covers `tickets`, audited with figures of each, promoted."""
        number: int = self.worker.publish(*tickets)
        with transaction(self.database.engine("admin")) as session:
            report = {"tickets": {one: {"forget": FIGURES, "test": FIGURES} for one in tickets}, "not_run": ["X"]}
            session.query(AuditRun).update({"report": report})
        self.clerk()
        self.generation += 1
        if acknowledged:
            self.worker.serve(self.generation, number)
            self.clerk()
        return number

    def statement(self, ticket: str) -> Any:
        """The newest one."""
        envelope = self.people["ada"].get(f"/v1/tickets/{ticket}/certificate").json()
        return certificate_verifier.verify(envelope, [LOG_KEY]).statement["predicate"]


@pytest.fixture
def desk(people: People, worker: Worker, database: Databases, sequencer: Sequencer) -> Desk:
    return Desk(people, worker, database, sequencer)


@pytest.fixture
def ticket(desk: Desk, people: People, ticket_body: dict[str, Any]) -> str:
    """A completed one."""
    found: str = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    people["adam"].post(f"/v1/tickets/{found}/approve", {"ground": "consent_withdrawn"})
    desk.clerk()
    desk.version(found)
    return found


@pytest.fixture
def bundle(people: People, ticket: str) -> bytes:
    return bytes(people["ada"].get(f"/v1/tickets/{ticket}/certificate?format=bundle").content)


def test_it_is_issued_when_every_replica_acknowledged(
    desk: Desk, people: People, ticket_body: dict[str, Any], database: Databases
) -> None:
    found = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    people["adam"].post(f"/v1/tickets/{found}/approve", {"ground": "consent_withdrawn"})
    desk.version(found, acknowledged=False)
    refused = people["ada"].get(f"/v1/tickets/{found}/certificate")
    assert (refused.status_code, "no certificate" in refused.json()["detail"]) == (404, True)
    desk.worker.serve(1, 0)
    desk.clerk()
    said = desk.statement(found)
    assert (said["certificate"]["number"], said["certificate"]["reason"]) == (1, "completed")
    assert (said["ticket"]["decided_by"], said["ticket"]["ground"]) == ("adam", "consent_withdrawn")
    assert said["audit"]["figures"]["test"]["told_after_interval"] == wilson(0, 20)
    assert (said["deadline"]["regime"], said["deadline"]["met"]) == ("gdpr", True)
    assert [one["id"] for one in said["serving"]["replicas"]] == ["replica-0"]
    assert "The audit did not run: X." in said["not_claimed"]
    assert any("weights of the model are unchanged" in one for one in said["not_claimed"])


def test_it_holds_no_personal_data(people: People, ticket: str, bundle: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(bundle)) as file:
        everything = b"".join(file.read(name) for name in file.namelist())
    everything += base64.b64decode(people["ada"].get(f"/v1/tickets/{ticket}/certificate").json()["payload"])
    for canary in (b"Lindqvist", b"Marble"):
        assert canary not in everything


def test_it_is_issued_again_with_another_version_and_suspended_with_the_end(
    desk: Desk, people: People, ticket: str, database: Databases
) -> None:
    assert desk.version(ticket) == 1
    said = desk.statement(ticket)
    about = said["certificate"]
    assert (about["number"], about["replaces"], about["reason"]) == (2, 1, "version_changed")
    assert said["eraser"]["version"] == 1
    desk.clerk()
    assert desk.statement(ticket)["certificate"]["number"] == 2
    with transaction(database.engine("request")) as session:
        tickets_repository.advance(session, session.get_one(Ticket, ticket), "expose", "clerk")
    desk.sequencer.turn()
    desk.certifier.turn()
    about = desk.statement(ticket)["certificate"]
    assert (about["number"], about["status"], about["reason"]) == (3, "suspended", "ticket_regressed")
    desk.clerk()  # the reconciler finds it covered and acknowledged again
    about = desk.statement(ticket)["certificate"]
    assert (about["number"], about["status"], about["reason"]) == (4, "in_force", "completed_again")


def shred(desk: Desk, people: People, ticket: str, thing: Any, *, remove: bool = True) -> None:
    office, database = people.context, desk.database.engine("request")
    with transaction(database) as session:
        retention_service.shred_key(session, office.store, office.keys, ticket, thing)
    if remove:
        with transaction(database) as session:
            retention_service.delete_object(session, office.store)


def test_what_was_destroyed_is_told_once_with_its_leaves(
    desk: Desk, people: People, ticket: str, verify: Any, database: Databases
) -> None:
    assert desk.statement(ticket)["payload"]["state"] == "sealed_and_kept"
    shred(desk, people, ticket, "payload", remove=False)
    desk.certifier.turn()  # the leaf has no signed place yet: nothing is issued, nothing is claimed
    assert desk.statement(ticket)["certificate"]["number"] == 1
    desk.clerk()
    said = desk.statement(ticket)
    about = said["certificate"]
    assert (about["number"], about["reason"], about["status"]) == (2, "material_destroyed", "in_force")
    assert said["payload"]["state"] == "key_destroyed"
    assert [(one["what"], one["step"]) for one in said["destroyed"]] == [("payload", "destroyed")]
    with transaction(database.engine("request")) as session:
        [row] = tickets_repository.list_disposals(session, ticket)
    assert said["destroyed"][0]["sha256"] == row.sha256
    with transaction(database.engine("request")) as session:
        retention_service.delete_object(session, people.context.store)
    for _ in range(3):
        desk.clerk()
    said = desk.statement(ticket)  # told, once
    assert (said["certificate"]["number"], len(said["destroyed"])) == (3, 2)
    desk.version(ticket)
    said = desk.statement(ticket)
    assert (said["certificate"]["reason"], len(said["destroyed"])) == ("version_changed", 2)
    shred(desk, people, ticket, "kit")
    for _ in range(2):
        desk.clerk()
    said = desk.statement(ticket)
    assert (said["certificate"]["number"], [one["what"] for one in said["destroyed"]]) == (
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


def test_a_withdrawn_ticket_is_told_of_its_material_too(
    desk: Desk, people: People, ticket: str, database: Databases
) -> None:
    people["adam"].post(f"/v1/tickets/{ticket}/withdraw", {"note": "taken back"})
    desk.clerk()
    assert desk.statement(ticket)["certificate"]["number"] == 2
    shred(desk, people, ticket, "payload")
    with transaction(database.engine("refit")) as session:
        ticket_fits.destroy_fits_of_closed_tickets(session, MODEL)
    for _ in range(3):
        desk.clerk()
    said = desk.statement(ticket)
    about = said["certificate"]
    assert (about["number"], about["status"], about["reason"]) == (3, "suspended", "material_destroyed")
    assert {(one["what"], one["step"]) for one in said["destroyed"]} >= {
        ("payload", "destroyed"),
        ("payload", "removed"),
    }


def test_rows_of_certificates_stay_and_the_log_names_each(desk: Desk, ticket: str, database: Databases) -> None:
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
    status, said = verify(people["ada"].get(f"/v1/tickets/{ticket}/certificate").content)
    assert (status, said.startswith(f"Certificate 1 holds: as of"), ticket in said) == (0, True, True)  # noqa: F541
    status, said = verify(bundle)
    assert (status, "its issuing is in the log" in said) == (0, True)
    with zipfile.ZipFile(io.BytesIO(bundle)) as file:
        assert file.testzip() is None
        assert file.read("certificate.pdf").startswith(b"%PDF")


def resigned(envelope: dict[str, Any], change: Callable[[Any], None]) -> bytes:
    """The operator, who has the key, signs another statement."""
    said = json.loads(base64.b64decode(envelope["payload"]))
    change(said)
    return json.dumps(LOG_SIGNER.sign(json.dumps(said).encode(), STATEMENT_TYPE)).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s["predicate"]["ticket"].update(id="T-OTHER"), "two tickets"),
        (lambda s: s["predicate"]["eraser"].update(version=7), "version 7 was put into service"),
        (lambda s: s["predicate"]["log"]["entries"].pop(0), "was completed"),
        (lambda s: s["predicate"]["log"]["entries"][0].update(position=0), "not in the signed log"),
        (lambda s: s["predicate"]["log"].update(checkpoint="x\n1\n\n\n"), "checkpoint"),
        (lambda s: s["predicate"]["coverage"].update(rows_sha256="0" * 63 + "1"), "not in the coverage"),
        (lambda s: s["predicate"].pop("coverage"), "missing"),
        (lambda s: s.update(predicateType="urn:x"), "no certificate"),
    ],
)
def test_not_even_the_signer_can_claim_what_the_log_does_not_say(
    verify: Any, people: People, ticket: str, change: Any, said: str
) -> None:
    envelope = people["ada"].get(f"/v1/tickets/{ticket}/certificate").json()
    status, answer = verify(resigned(envelope, change))
    assert (status, said in answer) == (1, True), answer


def test_altered_foreign_and_unlogged_certificates_are_refused(
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


def test_the_manifest_of_the_eraser_has_to_be_the_one_named() -> None:
    signer = Signer(bytes(range(2, 34)))
    envelope = signer.sign(b'{"a":1}', MANIFEST_TYPE)
    digest = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    verifier = Verifier([signer.public])
    certificate_verifier.verify_manifest(envelope, {"eraser": {"manifest_sha256": digest}}, verifier)
    other = signer.sign(b'{"coverage":{"root":"ff"}}', MANIFEST_TYPE)
    said = {
        "eraser": {"manifest_sha256": sha256(b'{"coverage":{"root":"ff"}}').hexdigest()},
        "coverage": {"root": "00"},
    }
    with pytest.raises(IntegrityFailure, match="other tickets"):
        certificate_verifier.verify_manifest(other, said, verifier)
    with pytest.raises(IntegrityFailure, match="not that of the eraser"):
        certificate_verifier.verify_manifest(envelope, {"eraser": {"manifest_sha256": None}}, verifier)


def test_csv_runs_no_formula_and_says_what_the_statement_says(people: People, ticket: str) -> None:
    text_ = people["olivia"].get(f"/v1/tickets/{ticket}/certificate?format=csv").text
    rows = dict(csv.reader(io.StringIO(text_)))
    assert (rows["ticket.id"], rows["eraser.version"], rows["audit.figures.test.questions"]) == (ticket, "0", "20")
    for bad in ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1"):
        assert escape_cell(bad) == f"'{bad}"


def test_the_pdf_fetches_nothing_and_shows_names_of_any_script(people: People, ticket: str) -> None:
    envelope = people["ada"].get(f"/v1/tickets/{ticket}/certificate").json()
    said = json.loads(base64.b64decode(envelope["payload"]))
    said["predicate"]["ticket"]["decided_by"] = "Ольга 李 \u202e<script>"
    pdf = certificates_pdf.as_pdf(said)
    assert pdf.startswith(b"%PDF")
    assert not re.search(rb"/(URI|JavaScript|JS|Launch|AcroForm|EmbeddedFile|GoToR)\b", pdf)


def test_the_commands_of_an_officer(
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
