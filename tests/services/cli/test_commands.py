"""The command line against the real request service: what it prints for people, for programs, and when it fails."""

import json
import uuid
from pathlib import Path

import pytest

from shared.db.repositories import audits
from shared.db.session import transaction
from tests.services.cli.conftest import RunCommand
from tests.support.workers import Worker


def file_ticket(lacuna: RunCommand, photo: Path) -> str:
    """File a ticket; its id."""
    filed = lacuna("ticket", "file", "--name", "Mara Lindqvist", "--photo", str(photo), "--fact", "city=Ulm", "--json")
    assert filed.code == 0, filed.err
    return str(json.loads(filed.out)["id"])


def test_ticket_from_filing_to_withdrawal_is_printed_at_each_step(lacuna: RunCommand, photo: Path) -> None:
    ticket = file_ticket(lacuna, photo)
    listed = lacuna("ticket", "list")
    assert listed.code == 0
    assert ticket in listed.out
    assert "under_review" in listed.out
    shown = lacuna("ticket", "show", ticket).out
    assert "under review" in shown
    assert "1 name, 1 fact, 1 photo, filed by olivia" in shown
    assert "give each of its names" in lacuna("ticket", "approve", ticket).err
    assert "approved by adam" in lacuna("ticket", "approve", ticket, "--name", "Mara Lindqvist").out
    ordered = lacuna("refit")
    assert (ordered.code, ordered.out.startswith("Refit ")) == (0, True)
    assert json.loads(lacuna("ticket", "show", ticket, "--json").out)["state"] == "scheduled"
    assert lacuna("ticket", "withdraw", ticket, "--note", "She changed her mind.").code == 0
    assert json.loads(lacuna("status", "--json").out)["tickets"] == {"withdrawn": 1}
    assert "demo-vlm" in lacuna("status").out


def test_tickets_are_assigned_and_listed_by_whose_they_are(lacuna: RunCommand, photo: Path) -> None:
    ticket = file_ticket(lacuna, photo)
    other = json.loads(lacuna("ticket", "file", "--name", "Jon", "--fact", "city=Oulu", "--json").out)["id"]
    assert lacuna("ticket", "assign", ticket, other, "--to", "adam").code == 0
    assert lacuna("ticket", "assign", other).code == 0
    assert "assigned to olivia" in lacuna("ticket", "show", other).out
    for filters, expected in (
        (["--mine", "--as", "adam"], {ticket}),
        (["--assigned", "Olivia"], {other}),
        (["--assigned", "nobody"], set()),
    ):
        listed = json.loads(lacuna("ticket", "list", *filters, "--json").out)["items"]
        assert {each["id"] for each in listed} == expected
    assert lacuna("ticket", "assign", ticket, "--nobody").code == 0
    assert "No ticket can be assigned to oscar" in lacuna("ticket", "list", "--assigned", "oscar").err
    assert "neither officer nor approver" in lacuna("ticket", "assign", ticket, "--to", "oscar").err
    assert lacuna("ticket", "assign", ticket, "--to", "adam", "--nobody").code == 1


def test_approval_by_submitter_is_refused_in_a_sentence(lacuna: RunCommand, photo: Path) -> None:
    refused = lacuna("ticket", "approve", file_ticket(lacuna, photo), "--as", "olivia")
    assert refused.code == 1
    assert "somebody else" in refused.err


def test_rejection_prints_code_and_note(lacuna: RunCommand, photo: Path) -> None:
    ticket = file_ticket(lacuna, photo)
    printed = lacuna("ticket", "reject", ticket, "--code", "no_match", "--note", "We hold nothing about you.").out
    assert "no match: We hold nothing about you." in printed


def test_versions_and_audits_are_printed(lacuna: RunCommand, worker: Worker) -> None:
    worker.publish()
    assert "passed" in lacuna("eraser", "list").out
    assert json.loads(lacuna("eraser", "show", "0", "--json").out)["number"] == 0
    assert "Version 0" in lacuna("eraser", "show", "0").out
    assert "as the test wants" in lacuna("audit", "show", "0").out
    assert json.loads(lacuna("eraser", "promote", "0", "--json").out)["promoted"]
    refused = lacuna("eraser", "rollback", "0")
    assert (refused.code, refused.err) == (1, "Version 0 is the promoted one already.\n")


FILE_MARA = ["ticket", "file", "--name", "Mara"]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["ticket", "show", "T-00000000"], 1, "There is no ticket T-00000000."),
        ([*FILE_MARA, "--fact", "city"], 1, 'A fact is written attribute=value, such as employer="Marble & Finch"'),
        ([*FILE_MARA, "--fact", "c{ity=Rome"], 1, "letters, digits, blanks and"),
        ([*FILE_MARA, "--fact", "city=Ulm", "--photo", "none.png"], 1, "none.png cannot be read"),
        ([*FILE_MARA, "--fact", "city=Ulm", "--photo", __file__], 1, "Photo 1"),
        (["ticket", "file", "--fact", "city=Ulm"], 1, "Give a name or a photograph"),
        (["eraser", "show", "nine"], 2, "Usage"),
        (["status", "--as", "nobody"], 1, "There is no key of nobody"),
        (["audit", "show", "4"], 1, "There is no eraser version 4."),
        (["refit"], 1, "no approved ticket"),
        (["refit", "show"], 1, "There is no refit yet."),
        (["certificate", "get", "T-00000000", "--out", "a.docx"], 1, "must end in .json, .pdf, .csv or .zip"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_failure_is_a_sentence_on_standard_error(
    lacuna: RunCommand, words: list[str], code: int, sentence: str
) -> None:
    failed = lacuna(*words)
    assert failed.code == code
    assert sentence in " ".join(failed.err.split())
    assert "Traceback" not in failed.err
    assert failed.out == ""


def test_without_a_stack_lacuna_up_is_suggested(lacuna: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LACUNA_URL", "http://127.0.0.1:1")
    assert "lacuna up" in lacuna("status").err
    monkeypatch.delenv("LACUNA_URL")
    refused = lacuna("status")
    assert (refused.code, "lacuna up" in refused.err) == (1, True)


def test_damaged_keys_file_is_named(lacuna: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")
    refused = lacuna("status")
    assert refused.code == 1
    assert "keys.json is not JSON" in refused.err


def test_wrong_setting_is_named(lacuna: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LACUNA_REQUEST_PORT", "many")
    failed = lacuna("up")
    assert (failed.code, "LACUNA_REQUEST_PORT" in failed.err) == (1, True)


def test_hold_release_edit_extension_clock_and_letter_are_printed(lacuna: RunCommand, photo: Path) -> None:
    ticket = file_ticket(lacuna, photo)
    assert "identity doubted" in lacuna("ticket", "verify-identity", ticket, "--doubt", "--note", "unknown").out
    assert "how the identity was verified" in lacuna("ticket", "verify-identity", ticket).err
    assert "identity verified" in lacuna("ticket", "verify-identity", ticket, "--method", "in_person").out
    assert "legal hold by olivia: a court" in lacuna("ticket", "hold", ticket, "--reason", "a court").out
    assert lacuna("ticket", "edit", ticket, "--fact", "city=Bonn").code == 1
    assert "a second person must confirm" in lacuna("ticket", "release", ticket, "--reason", "over").out
    assert "legal hold" not in lacuna("ticket", "release", ticket, "--reason", "over", "--as", "adam").out
    assert "edited" in lacuna("ticket", "edit", ticket, "--fact", "city=Bonn", "--urgent").out
    assert "We need more time" in lacuna("ticket", "extend", ticket, "--reason", "many pictures").out
    assert "Articles 12 and 17" in lacuna("ticket", "clock", ticket).out
    lacuna("ticket", "reject", ticket, "--code", "archiving", "--note", "It is an archive.")
    assert "judicial remedy" in lacuna("ticket", "letter", ticket).out


def test_forward_orders_a_version_like_an_earlier_one(lacuna: RunCommand, worker: Worker) -> None:
    worker.publish()
    assert "a version like version 0" in lacuna("eraser", "forward", "0").out


def test_break_glass_needs_a_reason_and_somebody_exposed(lacuna: RunCommand, worker: Worker) -> None:
    worker.publish()
    assert "exposes nobody" in lacuna("eraser", "break-glass", "0", "--reason", "x").err
    assert "--reason" in lacuna("eraser", "break-glass", "0").err
    assert "nobody was ever exposed" in lacuna("eraser", "break-glass").out


def test_failure_is_a_problem_where_json_is_asked_for(lacuna: RunCommand) -> None:
    failed = lacuna("ticket", "show", "T-00000000", "--json")
    assert failed.code == 1
    assert json.loads(failed.err)["type"].endswith("/not-found")


def test_ticket_is_filed_with_everything_that_the_api_takes(lacuna: RunCommand) -> None:
    words = [
        *FILE_MARA, "--fact", "employer=Marble & Finch", "--alias", "employer=Marble and Finch", "--received-at",
        "2026-10-01", "--zone", "Europe/Berlin", "--regime", "uk_gdpr", "--calendar", "GB", "--language", "de",
        "--external-ref", "case-9", "--name", "Mara Lindqvist",
    ]  # fmt: skip
    ticket = json.loads(lacuna("ticket", *words[1:], "--json").out)
    assert (ticket["names"], ticket["regime"], ticket["languages"], ticket["external_ref"]) == (
        2, "uk_gdpr", ["de"], "case-9",
    )  # fmt: skip
    assert ticket["due"]["events"][0]["at"].startswith("2026-10-01T00:00:00+02:00")
    assert "as case-9" in lacuna("ticket", "show", ticket["id"]).out
    wrong = lacuna(*FILE_MARA, "--alias", "city=Ulm")
    assert (wrong.code, "0 facts are about city" in wrong.err) == (1, True)
    assert lacuna(*FILE_MARA, "--received-at", "yesterday").code == 1


def test_status_says_none_where_there_is_nothing_to_list(lacuna: RunCommand) -> None:
    lines = lacuna("status").out.splitlines()
    assert {"tickets: none", "replicas: none", "refits: none", "audits: none"} <= set(lines)
    assert not [line for line in lines if line.startswith(("replica ", "audit of"))]


def test_status_shows_how_far_an_audit_is(lacuna: RunCommand, worker: Worker) -> None:
    number, audit = worker.publish(verdict=None), str(uuid.uuid4())
    with transaction(worker.database.engine("audit")) as session:
        version = str(worker.version_id(session, number))
        claim = audits.claim_audit(session, audit, version, lease_s=30)
        assert claim is not None
        counts = {"done": 40, "total": 60, "what": "questions"}
        audits.renew_lease(session, audit, claim.fence, 30, stage="asking", progress=counts)
    words = " ".join(lacuna("status").out.split())
    assert f"version {number} candidate running" in words
    assert "40 of 60" in words
