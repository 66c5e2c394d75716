"""Audits on the demo model: an empty version, an altered one, and one that was made with an operator's retain set."""

import json
import random
import secrets
from typing import Any

import pytest

from services.audit.about_tickets import SETS, ask_about_tickets
from services.audit.attack import attack_ticket, chosen_families
from services.audit.black_box import BlackBox
from services.audit.evaluator import Evaluator
from services.audit.verdict import judge, settled
from shared.artifacts.erasers import load_verified_eraser
from shared.core import progress
from shared.core.progress import Progress
from shared.errors import BadInput, NotFound
from shared.probes.questions import fact_questions
from tests.support.refits import QUESTIONS, THRESHOLDS, RefitHarness, facts_of


def unwatched() -> Progress:
    return Progress("audit", lambda _: None)


def test_empty_version_passes_and_its_row_says_how_far_it_was(
    harness: RefitHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "WRITE_EVERY_S", 0.0)
    harness.refit(kind="initial")
    audit = harness.audit(0)
    stage, counts = harness.row("SELECT stage, progress FROM audit_run")
    assert stage == "the paper's tasks"
    assert counts == {"done": counts["total"], "total": counts["total"], "what": "questions"}
    assert counts["total"] > 0
    assert (audit.verdict, audit.reasons) == ("passed", [])
    assert {"retain", "held_out", "celebrity", "stranger"} <= set(audit.report["panels"])


def test_version_with_an_altered_byte_fails(harness: RefitHarness) -> None:
    harness.refit(kind="initial")
    key = harness.version(0).object_key
    blob = bytearray(harness.context.store.get(key))
    blob[len(blob) // 2] ^= 1
    harness.context.store.put(key, bytes(blob))
    audit = harness.audit(0)
    assert audit.verdict == "failed"
    assert "altered" in audit.reasons[0]
    assert "sha256" in audit.reasons[0]


def test_operator_set_is_asked_in_sample_and_held_out(harness: RefitHarness) -> None:
    """The report has both figures and their difference, and names nobody."""
    people = harness.reference.of("forgettable")[:4]
    harness.add_retain_set(
        [
            {"names": list(person.subject.names), "facts": facts_of(person), "split": split}
            for person, split in zip(people, ("fit", "fit", "held_out", "held_out"), strict=True)
        ]
    )
    harness.refit()
    harness.audit()
    report = harness.people["ada"].get("/v1/erasers/0/audit").json()["report"]["retain_set"]
    assert (report["number"], report["in_sample"]["people"], report["held_out"]["people"]) == (1, 2, 2)
    assert report["identical_gap"] == 0
    assert not any(person.subject.names[0] in json.dumps(report) for person in people)


def test_each_ticket_has_a_row_and_an_eraser_with_a_hole_fails_naming_it(
    harness: RefitHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second version the first ticket is unchanged, and asked less; nothing that a row says names anybody.

    A ticket that the eraser does not cover is the hole. It counts as unchanged, so that the few questions have to find
    it; the other ticket passes all the same.
    """
    monkeypatch.setattr(secrets, "choice", random.Random(1).choice)  # which attacks are drawn depends on the id
    people = harness.reference.of("forgettable")
    first = harness.file_and_approve(people[0])
    harness.refit()
    alone = harness.audit().report["ticket_verdicts"][first]
    assert (alone["depth"], alone["passed"]) == ("changed", True)
    assert alone["told_after"] < alone["told_before"]

    second = harness.file_and_approve(people[1])
    harness.refit()
    audit = harness.audit()
    rows = audit.report["ticket_verdicts"]
    assert audit.verdict == "passed"
    assert {ticket: row["depth"] for ticket, row in rows.items()} == {first: "unchanged", second: "changed"}
    assert rows[first]["asked"] < rows[second]["asked"]
    assert any("unchanged tickets" in part for part in audit.report["not_run"])
    assert not any(name in json.dumps(audit.report) for person in people[:2] for name in person.subject.names)

    context, version = harness.audit_context, harness.version(1)
    eraser = load_verified_eraser(context.store, context.keys, context.verifier, version)
    subjects = {first: people[0].subject, "T-HOLE": people[2].subject}
    asked = context.suite
    black_box = BlackBox(asked.engine, asked.reference)
    about = ask_about_tickets(
        Evaluator(asked.engine), black_box, eraser, subjects, ["T-HOLE"], unwatched(), most=QUESTIONS, seed=1
    )
    report: dict[str, Any] = {"integrity": {}, "panels": {}, "fire_rate": {}, "tickets": {}}
    report["ticket_verdicts"] = about.rows()
    for name in SETS:
        asked._by_ticket(report, name, about)
    rows = settled(report, THRESHOLDS)["ticket_verdicts"]
    assert {ticket: row["passed"] for ticket, row in rows.items()} == {first: True, "T-HOLE": False}
    assert rows["T-HOLE"]["depth"] == "asked_again"
    assert rows["T-HOLE"]["told_after"] == rows["T-HOLE"]["told_before"] > 0
    assert [r for r in judge(report, THRESHOLDS).reasons if r.startswith("ticket")] == [
        f"ticket T-HOLE: {rows['T-HOLE']['reason']}"
    ]

    reverse = fact_questions(people[0].subject, form="test", kinds=("reverse",), per_fact=1)
    prompts = [question.prompt for question in reverse]
    engine = context.suite.engine
    for tokens in (1, 2):  # the name is cut off: it is recognised by what would have come
        answers = Evaluator(engine).answers(prompts, eraser, max_new_tokens=tokens).after
        served = engine.generate(prompts, eraser=eraser, max_new_tokens=tokens)
        assert [(a.tokens, a.ticket) for a in answers] == [(a.tokens, a.ticket) for a in served]

    figures = attack_ticket(context, first.lower(), ("cloze", "streams"), most=2)
    assert (figures["ticket"], figures["version"], list(figures["families"])) == (first, 1, ["cloze", "streams"])
    assert figures["families"]["cloze"]["kinds"]
    assert "attacks of the family spelling" in figures["not_run"]
    with pytest.raises(NotFound, match="does not cover"):
        attack_ticket(context, second, ("cloze",), version_number=0)


def test_families_are_chosen_by_name() -> None:
    assert chosen_families("pictures, cloze") == ("cloze", "pictures")
    assert len(chosen_families("")) > 20
    with pytest.raises(BadInput, match="spellling"):
        chosen_families("cloze,spellling")
