"""RunRecord: what one refit run reads and writes in PostgreSQL. Each method is one transaction.

Every write carries the run's fence, so a worker that lost its lease gets Conflict and changes nothing. No transaction
is open while a model computes or an object is stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine as Database

from shared.core.progress import Progress
from shared.db.models.refits import StoredTicketFit
from shared.db.models.retain_sets import RetainSet
from shared.db.models.tickets import Ticket
from shared.db.repositories import erasers, refits, ticket_fits
from shared.db.repositories import tickets as tickets_repository
from shared.db.repositories.retain_sets import active_set
from shared.db.session import transaction


@dataclass(frozen=True)
class Gathered:
    """What a run starts from. `retired_objects` are keys in the object store whose wrapped keys were taken away."""

    tickets: Sequence[Ticket]
    latest: erasers.LatestVersion | None
    retain_set: RetainSet | None
    retired_objects: Sequence[str]


@dataclass(frozen=True)
class RunRecord:
    """One run of the model `model_id`, held under `fence`. Methods raise Conflict where the lease is lost."""

    database: Database
    run_id: str
    fence: int
    model_id: str
    lease_s: float

    @property
    def tenant(self) -> str:
        """For whom the model is served."""
        with transaction(self.database) as session:
            return refits.get_model(session, self.model_id).tenant_id

    @property
    def short_id(self) -> str:
        """The beginning of the id, for log lines."""
        return self.run_id[:8]

    def gather(self) -> Gathered:
        """Read what the run starts from, and mark all its tickets, so that a failure before the fit reaches them too.

        Destroys the keys of the fits of tickets that are over.
        """
        with transaction(self.database) as session:
            refits.get_model(session, self.model_id)
            tickets = tickets_repository.tickets_in_force(session, self.model_id)
            for ticket in tickets:
                refits.set_ticket_outcome(session, self.run_id, self.fence, ticket.id, "fitting")
            return Gathered(
                tickets=tickets,
                latest=erasers.latest_version(session, self.model_id),
                retain_set=active_set(session, self.model_id),
                retired_objects=ticket_fits.retire_fits_of_closed_tickets(session, self.model_id),
            )

    def write_progress(self, progress: Progress) -> None:
        """Renew the lease and store how far the run is."""
        with transaction(self.database) as session:
            refits.renew_lease(
                session, self.run_id, self.fence, progress.stage, lease_s=self.lease_s, progress=progress.counts
            )

    def write_notes(self, notes: Sequence[str]) -> None:
        """Store sentences for whoever looks at the run."""
        with transaction(self.database) as session:
            refits.set_notes(session, self.run_id, self.fence, notes)

    def reload_ticket(self, ticket: Ticket) -> Ticket:
        """The ticket as it is now: its material may have been shredded since the run began."""
        with transaction(self.database) as session:
            return tickets_repository.reload_ticket(session, ticket.id)

    def stored_fits(self, tickets: Iterable[Ticket], digest: str) -> dict[str, StoredTicketFit]:
        """Ticket id -> where its fit for the statistics `digest` is; without those that do not exist any more."""
        with transaction(self.database) as session:
            rows = [ticket_fits.find_fit(session, ticket, digest) for ticket in tickets]
        return {row.ticket_id: row for row in rows if row is not None and row.wrapped_key is not None}

    def mark_fitted(self, ticket_ids: Iterable[str]) -> None:
        """These tickets are in the version, by a fit that an earlier run stored."""
        with transaction(self.database) as session:
            for ticket_id in ticket_ids:
                refits.set_ticket_outcome(session, self.run_id, self.fence, ticket_id, "fitted")

    def tickets_to_retry(self, digest: str) -> list[Ticket]:
        """Those that were set aside and may do better by the statistics `digest`: they were never fitted for them.

        With the same material and the same statistics a ticket would only fail again.
        """
        with transaction(self.database) as session:
            aside = tickets_repository.tickets_set_aside(session, self.model_id)
            retried = [ticket for ticket in aside if ticket_fits.find_fit(session, ticket, digest) is None]
            for ticket in retried:
                refits.set_ticket_outcome(session, self.run_id, self.fence, ticket.id, "fitting")
        return retried

    def add_fit(self, ticket: Ticket, digest: str, object_key: str, sha256: str, wrapped_key: bytes) -> None:
        """Record a new fit whose object is in the store, and that the ticket is fitted."""
        with transaction(self.database) as session:
            ticket_fits.record_fit(
                session,
                ticket,
                digest=digest,
                object_key=object_key,
                sha256=sha256,
                wrapped_key=wrapped_key,
            )
            refits.set_ticket_outcome(session, self.run_id, self.fence, ticket.id, "fitted")

    def set_outcome(self, ticket_id: str, outcome: str, detail: str | None = None) -> None:
        """Record that the ticket has no fit in this version, and why in a sentence."""
        with transaction(self.database) as session:
            refits.set_ticket_outcome(session, self.run_id, self.fence, ticket_id, outcome, detail)

    def next_version_number(self) -> int:
        """One more than the newest version's; 0 for the first."""
        with transaction(self.database) as session:
            return erasers.next_version_number(session, self.model_id)

    def publish(self, version: erasers.NewVersion, *, seconds: Mapping[str, float]) -> None:
        """Add the version, whose object is in the store, and end the run as succeeded."""
        with transaction(self.database) as session:
            added = erasers.add_version(session, self.run_id, self.fence, version)
            refits.finish_run(session, self.run_id, self.fence, "succeeded", version_id=added.id, seconds=seconds)

    def finish(self, status: str, *, error: str | None = None, seconds: Mapping[str, float] | None = None) -> None:
        """End the run without a version, or leave it `waiting` for another try."""
        with transaction(self.database) as session:
            refits.finish_run(session, self.run_id, self.fence, status, error=error, seconds=seconds)
