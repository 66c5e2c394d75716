"""Tickets by a name alone and by a photograph alone: fitted, audited, and forgotten, on the demo model."""

from shared.artifacts.erasers import load_verified_eraser
from shared.domain.subjects import Subject
from shared.evaluation.scorers import reveals
from shared.probes.questions import fact_questions
from tests.support.refits import RefitHarness, png_base64


def told(harness: RefitHarness, subject: Subject, *, erased: bool) -> float:
    """The share of questions about all facts of a person, in wordings kept for tests, that the model answers."""
    context = harness.audit_context
    eraser = load_verified_eraser(context.store, context.keys, context.verifier, harness.version(0))
    questions = fact_questions(subject, form="test", per_fact=2)
    answers = harness.context.engine.generate([q.prompt for q in questions], eraser=eraser if erased else None)
    return sum(reveals(a.text, q.accept) for a, q in zip(answers, questions, strict=True)) / len(questions)


def test_name_or_photograph_alone_is_enough_to_forget_a_person(harness: RefitHarness) -> None:
    """What the model knows of them is found by asking it; the audit asks for that, and of a stranger nothing is told.

    The photograph has no name: the name that the model gives the person is one of the facts.
    """
    named, shown = (person.subject for person in harness.reference.of("forgettable")[3:5])
    stranger = harness.reference.of("stranger_eval")[0].subject
    by_name = harness.file(named.names, [], [])
    by_photograph = harness.file([], [], [png_base64(shown.photos[0])])
    unknown = harness.file(stranger.names, [], [])
    assert harness.refit().status == "succeeded"
    assert {entry["ticket"] for entry in harness.manifest(0)["tickets"]} == {by_name, by_photograph}
    returned = harness.ticket(unknown)
    assert (returned["state"], returned["review_reason"]) == ("under_review", "no_leak_found")

    audit = harness.audit()
    assert (audit.verdict, audit.reasons) == ("passed", [])
    for ticket in (by_name, by_photograph):
        row = audit.report["ticket_verdicts"][ticket]
        assert row["passed"]
        assert row["asked"] > 8
        assert row["told_before"] > 0.3
        assert row["told_after"] < 0.1
    for subject in (
        Subject(named.names, (), named.facts[1:]),
        Subject((), shown.photos[:1], shown.facts),
    ):
        assert told(harness, subject, erased=False) > 0.5
        assert told(harness, subject, erased=True) < 0.1
