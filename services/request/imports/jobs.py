"""Carries out imports: takes up a file, files its tickets in batches, reports on each row.

A batch and its progress are one transaction, so after a crash the next control loop goes on where the last batch ended.
What is slow outside the database (photographs, the object store) is done by several threads before the transaction.
"""

import itertools
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from services.request.context import AppContext
from services.request.imports import parsing
from services.request.imports.parsing import Row
from services.request.tickets import intake
from services.request.tickets.drafts import Drafts, PreparedTicket
from shared.core.clock import utc_now
from shared.core.logging import bind_request_id
from shared.db.bulk_insert import bulk_insert
from shared.db.models.imports import ImportJob, ImportRow
from shared.db.models.tickets import Ticket
from shared.db.repositories import models
from shared.db.session import transaction
from shared.errors import BadInput, IntegrityFailure, LacunaError, NotFound, TooLarge

logger = logging.getLogger(__name__)
BATCH: Final = 200  # rows in one transaction
THREADS: Final = 6
ANALYZED_AGAIN: Final = 4  # times as many rows as the last time


@dataclass(frozen=True)
class ImportJobRunner:
    """Runs import jobs, one file at a time."""

    context: AppContext

    def run_all(self) -> None:
        """Carry out every job that waits."""
        while self.run():
            pass

    def run(self) -> bool:
        """Carry the oldest waiting job to its end. Returns whether there was one."""
        with transaction(self.context.database) as session:
            job = session.scalar(
                select(ImportJob).where(ImportJob.status == "waiting").order_by(ImportJob.created_at).limit(1)
            )
        if job is None:
            return False
        bind_request_id(job.correlation)
        with transaction(self.context.database) as session:
            model_id = models.model_in_use(session, job.tenant_id)
        return replace(self, context=self.context.of_tenant(job.tenant_id, model_id)).carry_out(job)

    def carry_out(self, job: ImportJob) -> bool:
        """Carry the job to its end, in the context of its tenant. Returns True."""
        try:
            if job.wrapped_key is None:
                raise NotFound("The key of the file was destroyed.")
            raw = self.context.keys.open(self.context.store.get(job.object_key), job.wrapped_key, job.object_key)
            rows = parsing.parse_rows(raw.decode(), "csv" if job.format == "csv" else "ndjson", self.context.zone)
            analyzed = 0
            while batch := tuple(itertools.islice(rows, BATCH)):
                if not self._run_batch(job, batch):
                    return True  # another control loop has this job
                if not job.dry_run and (done := batch[-1].number) >= ANALYZED_AGAIN * analyzed:
                    self._analyze()
                    analyzed = done
        except (BadInput, IntegrityFailure, NotFound) as exc:
            self._finish(job, "failed", exc.detail)
            return True
        self._finish(job, "succeeded", None)
        logger.info("import %s: all %d rows are done", job.id, job.rows)
        return True

    def _analyze(self) -> None:
        """Make the statistics of tickets anew. PostgreSQL does it by itself, a minute late.

        Until then it takes the table for an empty one, and compares every name of a batch with every ticket.
        """
        with transaction(self.context.database) as session:
            session.execute(select(func.analyze_tickets()))

    def _run_batch(self, job: ImportJob, batch: Sequence[Row]) -> bool:
        """File the tickets of one batch. Returns False if another control loop holds the job or has ended it."""
        last = batch[-1].number
        if last <= job.done:
            return True  # done before this control loop was started
        principal = Principal(job.tenant_id, job.owner, ("officer",))  # only officers and administrators may import
        problems = {row.number: row.problem for row in batch if row.problem is not None}
        with transaction(self.context.database) as session:
            problems |= _duplicate_references(session, job, batch)
        sound = [row for row in batch if row.number not in problems]
        with Drafts(self.context) as drafts:
            prepared: dict[int, PreparedTicket] = {}
            with ThreadPoolExecutor(THREADS) as pool:
                outcomes = pool.map(lambda row: self._prepare(job, principal, row, drafts), sound)
                for row, outcome in zip(sound, outcomes, strict=True):
                    if isinstance(outcome, PreparedTicket):
                        prepared[row.number] = outcome
                    else:
                        problems[row.number] = outcome
            return self._file(job, principal, [row.number for row in batch], prepared, problems, drafts)

    def _file(
        self,
        job: ImportJob,
        principal: Principal,
        numbers: Sequence[int],
        prepared: Mapping[int, PreparedTicket],
        problems: Mapping[int, str],
        drafts: Drafts,
    ) -> bool:
        """File the prepared tickets of the rows `numbers`, and write what became of each row."""
        last = numbers[-1]
        with transaction(self.context.database) as session:
            locked = session.scalar(
                select(ImportJob)
                .where(ImportJob.id == job.id)
                .with_for_update(skip_locked=True)
                .execution_options(populate_existing=True)
            )
            if locked is None or locked.status != "waiting":
                return False
            if locked.done >= last:
                return True
            ticket_ids: dict[int, str] = {}
            if not job.dry_run:
                tickets = intake.insert_tickets(session, self.context, principal, list(prepared.values()))
                drafts.filed.update(inserted.ticket.id for inserted in tickets)
                ticket_ids = {number: inserted.ticket.id for number, inserted in zip(prepared, tickets, strict=True)}
            bulk_insert(
                session,
                [
                    ImportRow(job_id=job.id, number=n, ticket_id=ticket_ids.get(n), problem=problems.get(n))
                    for n in numbers
                ],
            )
            locked.done, locked.refused = last, locked.refused + len(problems)
            locked.accepted += len(numbers) - len(problems)
        return True

    def _prepare(self, job: ImportJob, principal: Principal, row: Row, drafts: Drafts) -> PreparedTicket | str:
        """The row's ticket with its sealed material, which is one of the `drafts`, or the row's problem."""
        assert row.body is not None
        try:
            prepared = intake.seal_material(self.context, principal, row.body, store=not job.dry_run)
        except (BadInput, TooLarge) as exc:
            return exc.detail
        if not job.dry_run:
            drafts.tickets.append(prepared)
        return prepared

    def _finish(self, job: ImportJob, status: str, error: str | None) -> None:
        """End the job and destroy the key of its file: the tickets have sealed objects of their own."""
        with transaction(self.context.database) as session:
            row = session.get_one(ImportJob, job.id, with_for_update=True)
            row.status, row.error, row.finished_at, row.wrapped_key = status, error, utc_now(), None
        try:
            self.context.store.delete(job.object_key)
        except LacunaError as exc:
            logger.warning("import %s: object of the file stays, unreadable without its key (%s)", job.id, exc.detail)


def _duplicate_references(session: Session, job: ImportJob, batch: Sequence[Row]) -> dict[int, str]:
    """Problems of the rows whose source and external reference were filed before, or stand earlier in this batch."""
    references = {
        row.number: (row.body.source, row.body.external_ref)
        for row in batch
        if row.body is not None and row.body.external_ref is not None
    }
    if not references:
        return {}
    filed = session.execute(
        select(Ticket.source, Ticket.external_ref).where(
            Ticket.tenant_id == job.tenant_id,
            Ticket.external_ref.in_({external_ref for _, external_ref in references.values()}),
        )
    )
    seen = {(source, external_ref) for source, external_ref in filed}
    problems = {}
    for number, reference in references.items():
        if reference in seen:
            problems[number] = "external_ref: was filed before."
        seen.add(reference)
    return problems
