"""Stands in for the refit and audit workers and a replica, under their own database roles, without a model."""

import uuid

from shared.db.repositories import audits, erasers, refits, rollouts
from shared.db.session import transaction
from tests.support.api import MODEL
from tests.support.databases import Databases


class Worker:
    """Writes what the refit and the audit workers write, under their own roles, without a model."""

    def __init__(self, database: Databases) -> None:
        self.database = database

    def claim(self, run: str | None = None, kind: str = "urgent", lease_s: float = 30.0) -> tuple[str, int]:
        """Take a run, a new one by default: (id, fence)."""
        run = run or str(uuid.uuid4())
        with transaction(self.database.engine("refit")) as session:
            claim = refits.claim_run(session, run, MODEL, kind, lease_s=lease_s)
        assert claim is not None
        return run, claim.fence

    def publish(self, *tickets: str, verdict: str | None = "passed") -> int:
        """A version that covers `tickets`; audited, unless `verdict` is None. Its number."""
        run, fence = self.claim()
        with transaction(self.database.engine("refit")) as session:
            number = erasers.next_version_number(session, MODEL)
            for ticket in tickets:
                refits.set_ticket_outcome(session, run, fence, ticket, "fitted")
            new = erasers.NewVersion(
                model_id=MODEL,
                number=number,
                recipe="lacuna",
                object_key=f"erasers/{number}",
                sha256="0" * 64,
                size_bytes=1,
                manifest={},
                envelope={},
                wrapped_key=b"",
                tickets=dict.fromkeys(tickets, "0" * 64),
            )
            version = erasers.add_version(session, run, fence, new)
            refits.finish_run(session, run, fence, "succeeded", version_id=version.id)
        if verdict is not None:
            self.audit(str(version.id), verdict)
        return number

    def audit(self, version: str, verdict: str, told: float = 0.0) -> None:
        """A finished audit of the version; `told` of the facts of each of its tickets are still told."""
        audit = str(uuid.uuid4())
        figures = {"forget": {"n": 8, "told_after": told}, "test": {"n": 8, "told_after": told}}
        with transaction(self.database.engine("audit")) as session:
            claim = audits.claim_audit(session, audit, version, lease_s=30)
            assert claim is not None
            covered = [ticket.id for ticket in erasers.covered_tickets(session, version)]
            audits.finish_audit(
                session,
                audit,
                claim.fence,
                status="succeeded",
                verdict=verdict,
                reasons=["as the test wants"],
                report={
                    "panels": {},
                    "integrity": {},
                    "not_run": [],
                    "claim": "",
                    "tickets": dict.fromkeys(covered, figures),
                },
            )

    def serve(self, generation: int, number: int, state: str = "serving", lease_s: float = 30.0) -> None:
        """A replica says what it serves."""
        with transaction(self.database.engine("inference")) as session:
            rollouts.record_replica_state(
                session,
                "replica-0",
                MODEL,
                generation=generation,
                version_number=number,
                state=state,
                error=None,
                lease_s=lease_s,
            )
