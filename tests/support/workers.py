"""Stand-ins for the refit worker, the audit worker and a replica: their database writes, without any model."""

import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from shared.db.repositories import audits, erasers, refits, rollouts
from shared.db.session import transaction
from tests.support.api import MODEL
from tests.support.databases import Databases


class Claim(NamedTuple):
    """A claimed refit run."""

    run: str
    fence: int


class Worker:
    """Writes the rows that the workers and a replica of `model` write, each under its own database role."""

    def __init__(self, database: Databases, model: str = MODEL) -> None:
        self.database, self.model = database, model

    def claim(self, run: str | None = None, kind: str = "urgent", lease_s: float = 30.0) -> Claim:
        """Claim a refit run; a new one if `run` is None."""
        run = run or str(uuid.uuid4())
        with transaction(self.database.engine("refit")) as session:
            claim = refits.claim_run(session, run, self.model, kind, lease_s=lease_s)
        assert claim is not None
        return Claim(run, claim.fence)

    def publish(
        self, *tickets: str, verdict: str | None = "passed", number: int | None = None, fit: str = "0" * 64
    ) -> int:
        """Publish a version that covers `tickets` and return its number; audited, unless `verdict` is None.

        The number is the next one where none is given; `fit` is the sha256 of each ticket's fit.
        """
        run, fence = self.claim()
        with transaction(self.database.engine("refit")) as session:
            number = erasers.next_version_number(session, self.model) if number is None else number
            for ticket in tickets:
                refits.set_ticket_outcome(session, run, fence, ticket, "fitted")
            new = erasers.NewVersion(
                model_id=self.model,
                number=number,
                recipe="lacuna",
                object_key=f"erasers/{number}",
                sha256="0" * 64,
                size_bytes=1,
                manifest={},
                envelope={},
                wrapped_key=b"",
                tickets=dict.fromkeys(tickets, fit),
            )
            version = erasers.add_version(session, run, fence, new)
            refits.finish_run(session, run, fence, "succeeded", version_id=version.id)
        if verdict is not None:
            self.audit(str(version.id), verdict)
        return number

    def version_id(self, session: Session, number: int) -> uuid.UUID:
        """The id of version `number`."""
        return erasers.get_version(session, self.model, number).id

    def audit(
        self,
        version: str,
        verdict: str,
        revealed: float = 0.0,
        set_aside: Sequence[str] = (),
        leaks: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Finish an audit of the version in which each ticket's facts are still revealed in the share `revealed`.

        `set_aside`: the tickets because of which alone it failed; `leaks`: by which kinds of questions, for each.
        """
        audit = str(uuid.uuid4())
        figures = {"forget": {"n": 8, "told_after": revealed}, "test": {"n": 8, "told_after": revealed}}
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
                    "set_aside": list(set_aside),
                    "ticket_verdicts": {
                        ticket: {"reason": f"{ticket} is weak", "leaks": list(leaks)} for ticket in set_aside
                    },
                },
            )

    def serve(self, generation: int, number: int, state: str = "serving", lease_s: float = 30.0) -> None:
        """Acknowledge, as a replica does, which version is served."""
        with transaction(self.database.engine("inference")) as session:
            rollouts.record_replica_state(
                session,
                "replica-0",
                self.model,
                generation=generation,
                version_number=number,
                state=state,
                error=None,
                lease_s=lease_s,
            )
