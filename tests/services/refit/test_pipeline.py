"""Refits on the demo model, a real database and a folder: what is built, what is refused, and what waits."""

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.refit import pipeline
from services.refit.tasks import nightly
from shared.artifacts.erasers import load_verified_eraser
from shared.crypto.signing import Signer, Verifier
from shared.db.session import transaction
from shared.errors import IntegrityFailure, StoreUnavailable
from shared.storage.local import LocalStore
from tests.support.refits import RefitHarness, facts_of, png_base64


class InterruptibleStore(LocalStore):
    """A store in a folder that can be unreachable."""

    reachable = True

    def put(self, key: str, data: bytes) -> None:
        """Store an object, unless the store is unreachable."""
        self._check()
        super().put(key, data)

    def get(self, key: str) -> bytes:
        """Read an object, unless the store is unreachable."""
        self._check()
        return super().get(key)

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """The store cannot be reached inside the block."""
        self.reachable = False
        try:
            yield
        finally:
            self.reachable = True

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("The object store cannot be reached.")


@pytest.fixture
def refit_store(refit_folder: Path) -> InterruptibleStore:
    """The shared objects, in a store that can be unreachable."""
    return InterruptibleStore(refit_folder)


def load_version(harness: RefitHarness, number: int, verifier: Verifier | None = None) -> Any:
    return load_verified_eraser(
        harness.context.store,
        harness.context.keys,
        verifier or harness.audit_context.verifier,
        harness.version(number),
    )


class TestRefit:
    """From the tickets in force to a candidate version."""

    def test_refit_without_change_has_nothing_to_do(self, harness: RefitHarness) -> None:
        assert harness.refit(kind="initial").status == "succeeded"
        assert harness.refit().status == "nothing_to_do"

    def test_one_more_ticket_leaves_the_fits_of_others_unchanged(self, harness: RefitHarness) -> None:
        """The second version covers both people and passes its audit; the first person's fit is the same object."""
        people = harness.reference.of("forgettable")
        first, second = (harness.file_and_approve(person) for person in people[:2])
        harness.people["adam"].post(f"/v1/tickets/{second}/withdraw", {"note": "later"})
        assert harness.refit().status == "succeeded"
        before = harness.version(0).manifest["tickets"]
        third = harness.file_and_approve(people[1])
        assert harness.refit().status == "succeeded"
        audit = harness.audit(1)
        assert (audit.verdict, audit.reasons) == ("passed", [])
        after = {entry["ticket"]: entry["rows_sha256"] for entry in harness.version(1).manifest["tickets"]}
        assert after.keys() == {first, third}
        assert before == [{"ticket": first, "rows_sha256": after[first]}]
        assert set(load_version(harness, 1).tickets) == {first, third}

    def test_ticket_about_a_stranger_is_not_fitted(self, harness: RefitHarness) -> None:
        """The model reveals nothing about the person, so there is nothing to forget."""
        ticket = harness.file_and_approve(harness.reference.of("stranger_eval")[0])
        harness.refit()
        outcome = harness.scalar("SELECT outcome FROM refit_run_ticket WHERE ticket_id = :id", id=ticket)
        assert outcome == "no_leak_found"
        assert harness.version(0).manifest["tickets"] == []

    def test_ticket_with_too_few_prompts_fails_alone(self, harness: RefitHarness) -> None:
        poor = harness.file(["Mara"], [{"attribute": "name", "value": "Mara"}], [])
        good = harness.file_and_approve(harness.reference.of("forgettable")[5])
        assert harness.refit().status == "succeeded"
        assert [entry["ticket"] for entry in harness.manifest(0)["tickets"]] == [good]
        failed = harness.ticket(poor)
        assert failed["state"] == "failed"
        assert "too few forget prompts" in failed["events"][-1]["note"]
        assert harness.refit().status == "nothing_to_do"

    def test_photograph_of_somebody_who_must_stay_fails_its_own_ticket_alone(self, harness: RefitHarness) -> None:
        """Under a free name: the ticket says whom the photograph shows, and the honest one is in the version."""
        kept = harness.reference.of("calibration")[0]
        poisoned = harness.file(["Quentin Abernathy"], facts_of(kept), [png_base64(kept.subject.photos[0])])
        honest = harness.file_and_approve(harness.reference.of("forgettable")[5])
        assert harness.refit().status == "succeeded"
        assert [entry["ticket"] for entry in harness.manifest(0)["tickets"]] == [honest]
        failed = harness.ticket(poisoned)
        assert failed["state"] == "failed"
        assert f"cannot be told from the pictures of {kept.id}" in failed["events"][-1]["note"]

    def test_two_nightly_orders_of_one_day_make_one_version(self, harness: RefitHarness) -> None:
        for _ in range(2):
            nightly(harness.context, date(2026, 11, 24))
        assert harness.scalar("SELECT count(*) FROM refit_run WHERE kind = 'nightly'") == 1
        assert harness.scalar("SELECT count(*) FROM eraser_version") == 1

    def test_forward_rollback_makes_a_version_where_everybody_is_covered(self, harness: RefitHarness) -> None:
        assert harness.refit(kind="initial").status == "succeeded"
        harness.refit(kind="forward", recipe="lacuna")
        version = harness.version(1)
        assert (version.recipe, version.number) == ("lacuna", 1)
        assert version.manifest["coverage"] == {"root": version.coverage_root, "tickets": 0}


class TestFailures:
    """What goes wrong leaves no half of a version behind."""

    def test_refit_and_audit_wait_for_the_store_and_continue(
        self, harness: RefitHarness, refit_store: InterruptibleStore
    ) -> None:
        ticket, run_id = harness.file_and_approve(harness.reference.of("forgettable")[2]), str(uuid.uuid4())
        with refit_store.unreachable():
            waiting = harness.refit(run_id=run_id)
        assert waiting.status == "waiting"
        assert "cannot be reached" in str(waiting.error)
        assert harness.refit(run_id=run_id).status == "succeeded"
        assert harness.scalar("SELECT ticket_id FROM version_ticket") == ticket
        with refit_store.unreachable():
            assert harness.audit(0).verdict is None
        assert harness.audit(0).verdict == "passed"

    def test_altered_fit_fails_the_refit_and_loses_nothing(
        self, harness: RefitHarness, refit_store: InterruptibleStore
    ) -> None:
        ticket = harness.file_and_approve(harness.reference.of("forgettable")[3])
        harness.refit()
        key = harness.scalar("SELECT object_key FROM fit_rows WHERE ticket_id = :id", id=ticket)
        blob = refit_store.get(key)
        refit_store.put(key, blob[:-1] + bytes([blob[-1] ^ 1]))
        harness.file_and_approve(harness.reference.of("forgettable")[4])
        failed = harness.refit()
        assert failed.status == "failed"
        assert "altered" in str(failed.error)
        refit_store.put(key, blob)
        assert harness.refit().status == "succeeded"

    def test_manifest_signed_by_a_stranger_or_changed_is_refused(self, harness: RefitHarness) -> None:
        harness.refit(kind="initial")
        stranger = Verifier([Signer.generate()[1]])
        with pytest.raises(IntegrityFailure, match="not signed by a key that is trusted"):
            load_version(harness, 0, stranger)
        forged = harness.version(0)
        forged.manifest = forged.manifest | {"number": 7}
        context = harness.audit_context
        with pytest.raises(IntegrityFailure, match="not the one that was signed"):
            load_verified_eraser(context.store, context.keys, context.verifier, forged)

    def test_other_model_under_the_same_id_is_refused(
        self, harness: RefitHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Other weights and another chat template are named, also on the ticket; the right model works again."""
        harness.refit()
        ticket = harness.file_and_approve(harness.reference.of("forgettable")[3])
        engine = harness.context.engine
        with monkeypatch.context() as patched:
            other = replace(engine.vlm.site, base_model="0" * 64, template="1" * 64)
            patched.setattr(engine, "vlm", replace(engine.vlm, site=other))
            failed = harness.refit()
        assert failed.status == "failed"
        assert "weights and chat template differ" in str(failed.error)
        shown = harness.ticket(ticket)
        assert (shown["state"], shown["events"][-1]["note"]) == ("failed", failed.error)
        with monkeypatch.context() as patched:
            other = replace(engine.vlm.site, base_model="0" * 64, template="1" * 64, dtype="bfloat16")
            patched.setattr(engine, "vlm", replace(engine.vlm, site=other))
            failed = harness.refit()
        assert "chat template differ" in str(failed.error)
        assert "weights" not in str(failed.error)  # they have another digest in another precision
        assert len(harness.people["oscar"].get("/v1/erasers").json()["items"]) == 1
        assert harness.refit().status == "succeeded"

    def test_worker_that_lost_its_lease_overwrites_nothing(
        self, harness: RefitHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It pauses with a finished fit while another worker publishes; its writes are refused, its object is apart."""
        ticket, run_id = harness.file_and_approve(harness.reference.of("forgettable")[6]), str(uuid.uuid4())
        fit_ticket, lapsed = pipeline._fit_ticket, list[str]()

        def fit_and_lose_the_lease(*args: Any) -> Any:
            fit = fit_ticket(*args)
            if not lapsed:
                lapsed.append(run_id)
                with transaction(harness.context.database) as session:
                    session.execute(text("UPDATE refit_run SET lease_until = now() - interval '1 second'"))
                assert harness.refit(run_id=run_id).status == "succeeded"
            return fit

        monkeypatch.setattr(pipeline, "_fit_ticket", fit_and_lose_the_lease)
        assert harness.refit(run_id=run_id).status == "succeeded"
        assert harness.scalar("SELECT fence FROM refit_run WHERE id = :id", id=run_id) == 2
        assert harness.scalar("SELECT count(*) FROM eraser_version") == 1
        fit = harness.row("SELECT object_key, sha256 FROM fit_rows WHERE ticket_id = :id", id=ticket)
        assert fit.sha256 == hashlib.sha256(harness.context.store.get(fit.object_key)).hexdigest()
