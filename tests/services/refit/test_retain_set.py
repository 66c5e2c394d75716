"""An operator's retain set in refits on the demo model: used, cached, and without the people who are forgotten."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from services.refit.retain_set import RetainSide
from services.refit.steering_vectors import load_or_compute_steering_vectors
from shared.core.progress import Progress
from shared.db.session import transaction
from shared.erasure.recipe import LACUNA
from shared.errors import BadInput
from shared.evaluation.reference import Reference
from shared.vlm import capture
from tests.support.refits import RefitHarness, facts_of, png_base64

CountComputations = Callable[[], int]


@pytest.fixture
def computations(harness: RefitHarness, monkeypatch: pytest.MonkeyPatch) -> CountComputations:
    """Counts how often statistics are computed. Those of the reference alone take the place of the results."""
    statistics = harness.context.statistics(RetainSide(harness.reference), Progress("test", lambda _: None))
    calls: list[int] = []

    def compute(*_: Any, **__: Any) -> Any:
        calls.append(1)
        return statistics

    monkeypatch.setattr("services.refit.context.compute_statistics", compute)
    return lambda: len(calls)


def test_set_is_used_and_rows_about_forgotten_people_are_excluded(harness: RefitHarness) -> None:
    """Version 1 is made with the set, version 2 without the rows of a person who was forgotten since."""
    assert harness.refit().status == "succeeded"
    known = harness.reference.of("forgettable")
    rows = [{"names": list(p.subject.names), "facts": facts_of(p), "split": "fit"} for p in known[:2]]
    rows += [
        {"names": ["Under Another Name"], "photos": [png_base64(known[0].subject.photos[0])], "split": "fit"},
        {"names": list(known[2].subject.names), "facts": facts_of(known[2]), "split": "held_out"},
        {"names": list(known[3].subject.names), "facts": facts_of(known[3]), "split": "calibration"},
        {"prompt": "What is a comet?", "split": "calibration"},
    ]
    added = harness.add_retain_set(rows)
    assert harness.refit().status == "succeeded"
    first = harness.manifest(1)
    (statistics,) = harness.context._statistics.values()
    assert statistics.identity is not None
    assert statistics.identity.people == 3 + 2 + 1  # calibration people, strangers, and one of the set
    assert first["retain_set"] == {"number": 1, "digest": added["digest"], "left_out": [], "absent": []}
    assert first["statistics"] != harness.manifest(0)["statistics"]
    assert harness.refit().status == "nothing_to_do"

    ticket = harness.file_and_approve(known[0])
    run = harness.refit()
    second = harness.manifest(2)
    assert second["retain_set"]["left_out"] == [
        {"row": 1, "ticket": ticket, "by": "name"},
        {"row": 3, "ticket": ticket, "by": "picture"},
    ]
    assert second["statistics"] != first["statistics"]
    assert run.notes == [
        f"Row 1 of retain set 1 is the person of {ticket} by name: left out.",
        f"Row 3 of retain set 1 is the person of {ticket} by picture: left out.",
    ]
    assert [entry["ticket"] for entry in second["tickets"]] == [ticket]


def test_statistics_are_computed_only_for_a_new_retain_set(
    harness: RefitHarness, computations: CountComputations
) -> None:
    """A ticket about a person who is nowhere retained computes nothing, nor does a restart, nor a set used before."""
    harness.refit()
    harness.file_and_approve(harness.reference.of("forgettable")[3])
    restarted = replace(harness.context, _statistics={})
    assert harness.refit(context=restarted).status == "succeeded"
    assert computations() == 0
    harness.add_retain_prompts("Hello?", "Why?")
    assert harness.refit().status == "succeeded"
    assert computations() == 1
    harness.people["olivia"].post("/v1/retain-sets/0/use")
    assert harness.refit().status == "succeeded"
    assert computations() == 1


def test_forgotten_reference_person_is_excluded(harness: RefitHarness, computations: CountComputations) -> None:
    person = harness.reference.of("retain_fit")[0]
    harness.file_and_approve(person)
    assert harness.refit().notes == [f"Reference person {person.id} is forgotten: left out of this fit."]
    assert harness.manifest(0)["retain_set"]["absent"] == [person.id]
    assert computations() == 1


def test_forgotten_person_whom_no_fit_reads_needs_no_new_statistics(
    harness: RefitHarness, computations: CountComputations
) -> None:
    person = harness.reference.of("held_out")[0]
    harness.file_and_approve(person)
    assert harness.refit().notes == [f"Reference person {person.id} is forgotten: left out of this fit."]
    assert harness.manifest(0)["retain_set"]["absent"] == [person.id]
    assert computations() == 0


def test_reference_person_of_an_operator_is_excluded_by_photograph(
    harness: RefitHarness, computations: CountComputations
) -> None:
    """Under another name too; drawn portraits, which look alike, are not compared."""
    person = harness.reference.of("retain_fit")[0]
    harness.file(["Another Name"], facts_of(person), [png_base64(person.subject.photos[0])])
    assert harness.refit().notes == []
    reference = replace(harness.reference, photographed=frozenset({person.id}))
    run = harness.refit(context=replace(harness.context, reference=reference))
    assert run.notes == [f"Reference person {person.id} is forgotten: left out of this fit."]


def test_steering_vectors_are_computed_once_for_all_retain_sets(
    harness: RefitHarness, computations: CountComputations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without vectors beside the model they are computed, stored and read again; altered bytes are computed anew."""
    context, calls = harness.context, list[int]()
    vectors = load_or_compute_steering_vectors(context.engine, context.reference, LACUNA)
    monkeypatch.setattr("services.refit.context.load_beside_model", lambda *_: None)

    def compute(*_: Any) -> Any:
        calls.append(1)
        return vectors

    monkeypatch.setattr("services.refit.context.compute_steering_vectors", compute)
    for number, expected in enumerate((1, 1, 2)):
        if number == 2:
            (key,) = [key for key in context.store.list("statistics/demo-vlm/pulls/") if not key.endswith(".key")]
            context.store.put(key, b"altered")
        harness.add_retain_prompts(f"Steering {number}?", f"Why steering {number}?")
        assert harness.refit(context=replace(context, _statistics={})).status == "succeeded"
        assert len(calls) == expected
    assert computations() == 3


def test_model_that_gives_nan_fails_the_refit_and_nothing_else(
    harness: RefitHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run says what is wrong; the latest version stays, and the next refit works."""
    harness.refit()
    harness.add_retain_prompts("Really?", "When?")
    mention_states = capture.mention_states
    with monkeypatch.context() as patched:
        patched.setattr(
            capture,
            "mention_states",
            lambda *given, **named: [rows * float("nan") for rows in mention_states(*given, **named)],
        )
        failed = harness.refit(context=replace(harness.context, _statistics={}))
    assert failed.status == "failed"
    assert "NaN or infinity on the retain (names) set" in str(failed.error)
    assert len(harness.people["oscar"].get("/v1/erasers").json()["items"]) == 1
    assert harness.refit().status == "succeeded"


def test_nothing_is_published_without_a_ticket_that_must_stay_forgotten(
    harness: RefitHarness, computations: CountComputations
) -> None:
    """A set that needs a new fit of a shredded ticket fails the run; the set before makes it succeed again."""
    ticket = harness.file_and_approve(harness.reference.of("forgettable")[3])
    harness.refit()
    with transaction(harness.database.engine("admin")) as session:
        session.execute(
            text(
                "INSERT INTO disposal SELECT gen_random_uuid(), id, 'payload', payload_key, payload_sha256, 'a test', "
                "now(), now() FROM ticket"
            )
        )
        session.execute(text("UPDATE ticket SET payload_wrapped_key = NULL, required_since = now()"))
    harness.add_retain_prompts("Hi?", "Where?")
    failed = harness.refit()
    assert failed.status == "failed"
    assert failed.error == (
        f"Without {ticket}, which must stay forgotten, nothing is published: "
        f"The raw material of ticket {ticket} was shredded and it has no audit kit: have it filed again, and withdraw "
        f"{ticket} then."
    )
    harness.people["olivia"].post("/v1/retain-sets/0/use")
    assert harness.refit().status == "nothing_to_do"
    assert computations() == 1


def test_fewer_than_two_identities_are_refused(few_people: Reference) -> None:
    RetainSide(few_people).check()
    for most, sentence in ((1, "has 1 identity"), (0, "has 0 identities")):
        few = replace(few_people, people=few_people.of("retain_fit")[:most])
        with pytest.raises(BadInput, match=sentence):
            RetainSide(few).check()
