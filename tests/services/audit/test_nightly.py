"""The deep part of the audit on the demo model: a ticket in depth, an interruption, a hole, and what was not run."""

import uuid
from typing import Any

import pytest

from services.audit import nightly
from services.audit.nightly import DeepAudit, reasons_of, summarised, with_families, with_ticket
from services.audit.nightly_task import CANDIDATE_FIRST, NO_TIME, UNREADABLE, audit_nightly
from services.audit.verdict import Thresholds
from shared.artifacts.erasers import load_verified_eraser
from shared.evaluation.attacks.results import Tally
from tests.support.refits import THRESHOLDS, RefitHarness


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nightly, "FAMILIES", {"cloze": None, "choice": None, "sampling": None})


@pytest.fixture
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deep part of few questions: the tests ask what happens, not how well it works."""
    for field, value in {"attacks": 4, "samples": 16, "questions": 6, "near": 1}.items():
        monkeypatch.setattr(DeepAudit, field, value)
    monkeypatch.setattr(DeepAudit.__init__, "__defaults__", (4, 16, 6, 1))
    monkeypatch.setattr(nightly, "SAMPLES", 2)  # one sampled attack on each person


def figures(n: int, told: int, controls: int = 10, told_of_controls: int = 0) -> dict[str, Any]:
    return Tally(n, n, told, controls, told_of_controls).as_json() | {"people": 1, "people_told": int(told > 0)}


ROW = {"passed": True, "reason": "no more is revealed than is allowed"}


@pytest.mark.parametrize(
    ("family", "passed"),
    [
        (figures(40, 0), True),
        (figures(40, 24), False),
        (figures(40, 24, controls=40, told_of_controls=24), True),
        (figures(9, 9), True),
        (figures(12, 3), False),
        (figures(12, 3, controls=12, told_of_controls=1), True),
    ],
    ids=["told nothing", "told much", "as of strangers", "too few to judge", "a quarter", "perhaps chance"],
)
def test_one_family_that_tells_fails_the_ticket(family: dict[str, Any], passed: bool) -> None:
    """Among 24 families one that always tells is four per cent of all attacks."""
    quiet = {f"family_{number}": figures(40, 0) for number in range(23)}
    row = with_families(ROW, quiet | {"spelling": family}, Thresholds())
    assert row["passed"] == passed
    assert ("spelling" in row["reason"]) == (not passed)


def test_tickets_that_were_left_and_families_that_were_not_run_are_named() -> None:
    found = {"row": ROW, "sets": {}, "families": {"cloze": figures(4, 1)}, "bystanders": {}}
    report = summarised(with_ticket({}, "T-1", found), ["T-1", "T-2"], {"T-2": NO_TIME})
    assert report["left"] == {"T-2": NO_TIME}
    assert "1 of 2 tickets, which the next nights begin with" in report["not_run"]
    assert "attacks of the family choice" in report["not_run"]
    assert "white-box attacks" in report["not_run"]
    assert report["attacks"]["families"]["cloze"]["told_after"] == 1


def test_deep_part_goes_on_after_a_candidate_and_finds_a_hole(
    harness: RefitHarness, shallow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = harness.reference.of("forgettable")
    tickets = [harness.file_and_approve(person) for person in people[:2]]
    harness.refit()
    run, version = str(uuid.uuid4()), harness.version(0)

    def row(column: str) -> Any:
        return harness.row(f"SELECT {column} FROM audit_run WHERE id = :id", id=run)[0]  # noqa: S608

    monkeypatch.setattr("shared.db.repositories.nightly_audits.candidate_waits", lambda _: True)
    audit_nightly(harness.audit_context, run, str(version.id))
    assert (row("status"), row("error")) == ("waiting", CANDIDATE_FIRST)
    (first,) = row("report")["ticket_verdicts"]
    monkeypatch.setattr("shared.db.repositories.nightly_audits.candidate_waits", lambda _: False)
    seed = row("report")["seed"]
    audit_nightly(harness.audit_context, run, str(version.id))
    report = row("report")
    assert (row("status"), row("verdict"), report["seed"]) == ("succeeded", None, seed)
    assert set(report["ticket_verdicts"]) == set(tickets) == set(row("ticket_results"))
    assert (row("ticket_results")[first]["passed"], row("reasons"), report["left"]) == (True, [], {})
    assert report["attacks"]["families"]["sampling"]["leak_at"]["16"] == 0
    assert {"mentions", "beside_forgotten", "ordinary_words"} <= set(report["bystanders"])
    assert report["panels"]["test"]["told_after"] < report["panels"]["test"]["told_before"]
    assert not any(name in str(report) for person in people[:2] for name in person.subject.names)
    audit_nightly(harness.audit_context, run, str(version.id))
    assert row("attempt") == 2, "it has ended"

    context = harness.audit_context
    eraser = load_verified_eraser(context.store, context.keys, context.verifier, version)
    hole = DeepAudit(context.suite, THRESHOLDS, 1, attacks=12).ticket(eraser, "T-HOLE", people[2].subject)
    assert not hole["row"]["passed"]
    assert {leak["questions"] for leak in hole["row"]["leaks"]} >= {"test", "attacks"}
    assert reasons_of(with_ticket({}, "T-HOLE", hole))[0].startswith("ticket T-HOLE: ")


def test_a_night_that_is_too_short_names_what_it_left(
    harness: RefitHarness, shallow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = harness.file_and_approve(harness.reference.of("forgettable")[0])
    harness.refit()
    monkeypatch.setattr(type(harness.audit_context), "nightly_s", -1.0, raising=False)
    object.__setattr__(harness.audit_context, "nightly_s", -1.0)
    run = str(uuid.uuid4())
    audit_nightly(harness.audit_context, run, str(harness.version(0).id))
    report = harness.row("SELECT report FROM audit_run WHERE id = :id", id=run)[0]
    assert report["left"] == {ticket: NO_TIME}
    object.__setattr__(harness.audit_context, "nightly_s", 60.0)


def test_material_that_cannot_be_read_is_named_and_holds_up_no_night(harness: RefitHarness, shallow: None) -> None:
    """A ticket that nobody could ask about comes first every night: an error would keep all others from their turn."""
    ticket = harness.file_and_approve(harness.reference.of("forgettable")[0])
    harness.refit()
    (key,) = harness.row("SELECT payload_key FROM ticket WHERE id = :id", id=ticket)
    harness.audit_context.store.put(key, b"another")
    run = str(uuid.uuid4())
    audit_nightly(harness.audit_context, run, str(harness.version(0).id))
    status, report = harness.row("SELECT status, report FROM audit_run WHERE id = :id", id=run)
    assert (status, report["left"]) == ("succeeded", {ticket: UNREADABLE})
    assert report["not_run"][0].startswith("1 of 1 tickets")
