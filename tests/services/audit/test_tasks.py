"""Audits on the demo model: an empty version, an altered one, and one that was made with an operator's retain set."""

import json

from tests.support.refits import RefitHarness, facts_of


def test_empty_version_passes(harness: RefitHarness) -> None:
    harness.refit(kind="initial")
    audit = harness.audit(0)
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
