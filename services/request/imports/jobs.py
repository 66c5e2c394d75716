"""The clerk's part of imports: takes a file up, files its tickets a batch at a time, reports each row.

A batch is one transaction with its progress, so a clerk that is killed goes on where the last batch ended. What is
slow outside the database (photographs, the object store) is done by several threads before the transaction.
"""

import itertools
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from services.request.context import AppContext
from services.request.imports import parsing
from services.request.imports.parsing import Row
from services.request.tickets import intake
from services.request.tickets.intake import PreparedTicket
from shared.core.clock import utc_now
from shared.core.logging import bind_request_id
from shared.db.bulk_insert import bulk_insert
from shared.db.models.imports import ImportJob, ImportRow
from shared.db.models.tickets import Ticket
from shared.db.session import transaction
from shared.errors import BadInput, IntegrityFailure, LacunaError, NotFound, TooLarge

logger = logging.getLogger(__name__)
BATCH: Final = 200
THREADS: Final = 6


@dataclass(frozen=True)
class ImportJobRunner:
    """Carries out imports, a whole file at a time."""

    context: AppContext

    def run(self) -> None:
        """Every file that waits."""
        while self.turn():
            pass

    def turn(self) -> bool:
        """Carry one job to its end; whether there was one."""
        with transaction(self.context.database) as session:
            job = session.scalar(
                select(ImportJob).where(ImportJob.status == "waiting").order_by(ImportJob.created_at).limit(1)
            )
        if job is None:
            return False
        bind_request_id(job.correlation)
        try:
            if job.wrapped_key is None:
                raise NotFound("The file was shredded.")
            raw = self.context.keys.open(self.context.store.get(job.object_key), job.wrapped_key, job.object_key)
            checked = parsing.rows(raw.decode(), "csv" if job.format == "csv" else "ndjson")
            while batch := tuple(itertools.islice(checked, BATCH)):
                if not self._batch(job, batch):
                    return True  # another clerk is at this job
        except (BadInput, IntegrityFailure, NotFound) as exc:
            self._finish(job, "failed", exc.detail)
            return True
        self._finish(job, "succeeded", None)
        logger.info("import %s: %d rows are done", job.id, job.rows)
        return True

    def _batch(self, job: ImportJob, batch: tuple[Row, ...]) -> bool:
        if batch[-1].number <= job.done:
            return True  # done before the clerk was started anew
        principal = Principal(job.tenant_id, job.owner, ("officer",))  # only officers and administrators may import
        problems = {row.number: row.problem for row in batch if row.problem is not None}
        with transaction(self.context.database) as session:
            problems |= _repeated(session, job, batch)
        good = [row for row in batch if row.number not in problems]
        with ThreadPoolExecutor(THREADS) as pool:
            prepared = dict(
                zip([r.number for r in good], pool.map(lambda r: self._prepare(job, principal, r), good), strict=True)
            )
        with transaction(self.context.database) as session:
            fresh = session.scalar(
                select(ImportJob)
                .where(ImportJob.id == job.id)
                .with_for_update(skip_locked=True)
                .execution_options(populate_existing=True)
            )
            if fresh is None or fresh.status != "waiting" or fresh.done >= batch[-1].number:
                return fresh is not None and fresh.status == "waiting"
            problems |= {number: one for number, one in prepared.items() if isinstance(one, str)}
            sound = {number: one for number, one in prepared.items() if isinstance(one, PreparedTicket)}
            filed = [] if job.dry_run else intake.insert_tickets(session, self.context, principal, list(sound.values()))
            ids = {number: one.ticket.id for number, one in zip(sound, filed, strict=not job.dry_run)}
            bulk_insert(
                session,
                [
                    ImportRow(job_id=job.id, number=n, ticket_id=ids.get(n), problem=problems.get(n))
                    for n in (row.number for row in batch)
                ],
            )
            fresh.done, fresh.refused = batch[-1].number, fresh.refused + len(problems)
            fresh.accepted += len(batch) - len(problems)
        return True

    def _prepare(self, job: ImportJob, principal: Principal, row: Row) -> PreparedTicket | str:
        assert row.body is not None
        try:
            return intake.seal_material(self.context, principal, row.body, store=not job.dry_run)
        except (BadInput, TooLarge) as exc:
            return exc.detail

    def _finish(self, job: ImportJob, status: str, error: str | None) -> None:
        """The file is shredded: its tickets have their own sealed objects."""
        with transaction(self.context.database) as session:
            row = session.get_one(ImportJob, job.id, with_for_update=True)
            row.status, row.error, row.finished_at, row.wrapped_key = status, error, utc_now(), None
        try:
            self.context.store.delete(job.object_key)
        except LacunaError as exc:
            logger.warning("import %s: its shredded object stays for now (%s)", job.id, exc.detail)


def _repeated(session: Session, job: ImportJob, batch: tuple[Row, ...]) -> dict[int, str]:
    """Rows whose (source, reference) was filed before, or stands earlier in this batch."""
    wanted = {
        row.number: (row.body.source, row.body.external_ref)
        for row in batch
        if row.body is not None and row.body.external_ref is not None
    }
    if not wanted:
        return {}
    places = list(set(wanted.values()))
    found = session.execute(
        select(Ticket.source, Ticket.external_ref).where(
            Ticket.tenant_id == job.tenant_id, tuple_(Ticket.source, Ticket.external_ref).in_(places)
        )
    )
    seen = {(source, reference) for source, reference in found}
    repeated = {}
    for number, place in wanted.items():
        if place in seen:
            repeated[number] = "external_ref: was filed before."
        seen.add(place)
    return repeated
