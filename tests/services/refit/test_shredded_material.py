"""Refits and audits after a payload was shredded: fits are reused, audit kits are read, and what lacks is named."""

from datetime import timedelta
from typing import Any

import pytest

from services.request.erasers.promotions import promote_passed
from services.request.retention.jobs import Shredder
from services.request.retention.service import Retention
from services.request.tickets.progress import move_tickets
from shared.db.session import transaction
from tests.support.refits import RefitHarness
from tests.support.workers import Worker

AT_ONCE = Retention(timedelta(0))


def promote_and_move(harness: RefitHarness) -> None:
    """Promote what passed its audit and move the tickets, as the control loop does."""
    context = harness.people.context
    with transaction(context.database) as session:
        promote_passed(session, context.model_id)
    with transaction(context.database) as session:
        move_tickets(session, context.model_id)


def shred(harness: RefitHarness, retention: Retention) -> None:
    """Destroy what is due, as the control loop does."""
    Shredder(harness.people.control, retention).run()


def delete_fit(harness: RefitHarness, ticket: str) -> None:
    """Delete the ticket's fit, as if the statistics had changed."""
    harness.row("DELETE FROM fit_rows WHERE ticket_id = :id RETURNING 1", id=ticket)


def status(harness: RefitHarness) -> Any:
    return harness.people["olivia"].get("/v1/status").json()


@pytest.fixture
def shredded(harness: RefitHarness) -> str:
    """A completed ticket whose payload is destroyed, and whose audit kit exists."""
    ticket, worker = harness.file_and_approve(harness.reference.of("forgettable")[0]), Worker(harness.database)
    assert harness.refit().status == "succeeded"
    worker.audit(str(harness.version(0).id), "passed")
    promote_and_move(harness)
    worker.serve(status(harness)["generation"], status(harness)["promoted"])
    promote_and_move(harness)
    assert harness.ticket(ticket)["state"] == "completed"
    shred(harness, AT_ONCE)
    after = harness.ticket(ticket)
    assert (after["payload"], after["kit"]) == ("shredded", True)
    return ticket


def test_shredded_ticket_is_fitted_and_audited_from_its_kit(harness: RefitHarness, shredded: str) -> None:
    delete_fit(harness, shredded)
    harness.file_and_approve(harness.reference.of("forgettable")[1])
    assert harness.refit().status == "succeeded"
    audit = harness.audit()
    assert (audit.verdict, audit.report["material"]) == ("passed", {"kit": [shredded], "gone": []})
    figures = audit.report["tickets"][shredded]["forget"]
    assert figures["told_before"] > 0.5
    assert figures["told_after"] == 0.0


def test_ticket_without_payload_and_kit_stops_publication_and_says_why(harness: RefitHarness, shredded: str) -> None:
    """A refit that needs no new fit still works, with the same fit; the audit fails and names the ticket."""
    shred(harness, Retention(timedelta(0), kit=timedelta(0)))
    assert harness.ticket(shredded)["kit"] is False
    assert not [key for key in harness.context.store.list("kits/") if shredded in key]
    second = harness.file_and_approve(harness.reference.of("forgettable")[1])
    assert harness.refit().status == "succeeded"
    fits = "SELECT count(*), count(DISTINCT rows_sha256) FROM version_ticket WHERE ticket_id = :id"
    assert tuple(harness.row(fits, id=shredded)) == (2, 1)
    audit = harness.audit()
    assert (audit.verdict, len(audit.reasons)) == ("failed", 1)
    assert audit.reasons[0].startswith(f"{shredded} cannot be audited any more: neither raw material nor audit kit")

    delete_fit(harness, shredded)
    failed = harness.refit()
    assert failed.status == "failed"
    assert f"Without {shredded}, which must stay forgotten" in str(failed.error)
    assert f"withdraw {shredded} then" in str(failed.error)
    promote_and_move(harness)
    ticket = harness.ticket(shredded)
    assert (ticket["state"], ticket["review_reason"]) == ("completed", "needs_resubmission")
    assert ticket["events"][-1]["kind"] == "needs_resubmission"
    assert status(harness)["promoted"] == 0

    for withdrawn in (shredded, second):
        harness.people["adam"].post(f"/v1/tickets/{withdrawn}/withdraw", {"note": "filed again"})
    assert harness.refit().status == "succeeded"
    fit = harness.row("SELECT object_key, wrapped_key FROM fit_rows WHERE ticket_id = :id", id=second)
    assert fit.wrapped_key is None
    assert not harness.context.store.exists(fit.object_key)
    assert harness.scalar("SELECT subject FROM log_leaf WHERE kind = 'rows.shredding_begun'") == second
    shred(harness, Retention())
    assert harness.scalar("SELECT subject FROM log_leaf WHERE kind = 'rows.destroyed'") == second
