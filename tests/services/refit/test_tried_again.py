"""A ticket because of which a version failed is tried again where another outcome is possible, and only there."""

from sqlalchemy import text

from shared.db.session import transaction
from tests.support.refits import RefitHarness, facts_of


def covered(harness: RefitHarness, number: int) -> dict[str, str]:
    return {entry["ticket"]: entry["rows_sha256"] for entry in harness.manifest(number)["tickets"]}


def test_ticket_set_aside_is_fitted_again_after_its_correction_and_for_other_statistics(harness: RefitHarness) -> None:
    person = harness.reference.of("forgettable")[5]
    ticket = harness.file(person.subject.names, facts_of(person), [])
    harness.refit()
    before = covered(harness, 0)[ticket]

    def set_aside() -> None:
        with transaction(harness.database.engine("admin")) as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            session.execute(text("UPDATE ticket SET state = 'failed', review_reason = 'set_aside'"))

    set_aside()
    assert harness.refit().status == "succeeded"
    assert covered(harness, 1) == {}
    assert harness.refit().status == "nothing_to_do"  # by the same statistics it would only fail again

    path = f"/v1/tickets/{ticket}"
    facts = [*facts_of(person), {"attribute": "award", "value": "Quimby Medal"}]
    assert harness.people["olivia"].patch(path, {"facts": facts}).json()["state"] == "under_review"
    approval = {"ground": "consent_withdrawn", "names": list(person.subject.names)}
    assert harness.people["adam"].post(f"{path}/approve", approval).status_code == 200
    assert harness.refit().status == "succeeded"
    assert covered(harness, 2)[ticket] != before  # not the fit of its earlier material

    set_aside()
    harness.add_retain_prompts("Really?", "When?")
    assert harness.refit().status == "succeeded"
    assert list(covered(harness, 3)) == [ticket]
