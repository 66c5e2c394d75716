"""Job of the control loop: match downloads of DROP with the operator's register, and file a ticket for each match.

The people who match are filed in batches, each with its matches in one transaction. After a crash, and where a list is
sent again, whoever was filed for a work item is not filed for it again. The download is destroyed when it is matched.
"""

import base64
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.request.api.schemas import FactCreate
from services.request.auth.principals import Principal
from services.request.context import AppContext
from services.request.drop import service
from services.request.drop.lists import Download, read_download
from services.request.drop.register import MatchedItem, Register, person_text
from services.request.tickets import intake
from services.request.tickets.drafts import Drafts, PreparedTicket
from services.request.tickets.schemas import TicketCreate
from shared.core.clock import utc_now
from shared.core.logging import bind_request_id
from shared.core.validation import summarize_validation_errors
from shared.db.models.drop_lists import DropList, DropMatch
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log, models, tickets
from shared.db.session import transaction
from shared.domain.accounts import OPERATING_TENANT, SYSTEM_ACTOR
from shared.errors import BadInput, IntegrityFailure, LacunaError, NotFound, TooLarge, Unavailable
from shared.evaluation.people_files import PeopleRow

logger = logging.getLogger(__name__)
FIRST_RETRY, LONGEST_RETRY = timedelta(minutes=1), timedelta(hours=6)  # doubled after each attempt
PATIENCE: Final = timedelta(days=45)  # in which the law has a list dealt with; then it has failed
BATCH: Final = 20  # people of one transaction
SOURCE: Final = "drop"
OF_KEY: Final = 8  # characters of a person's key in the reference: one item may name several people
NO_REGISTER: Final = "LACUNA_DROP_PEOPLE names no register of this tenant with which the list could be matched."
Answer = Callable[[DropList, Download, Mapping[str, int | None]], None]  # sends the platform what is known at once


@dataclass(frozen=True)
class _Person:
    """A row of the register with the work items that match it."""

    key: str
    row: PeopleRow
    items: tuple[MatchedItem, ...]

    @property
    def reference(self) -> str:
        """The external reference of the ticket: the same for the same item and person, and for no other person."""
        return f"{self.items[0].item_id}-{self.key[:OF_KEY]}"


@dataclass
class DropListRunner:
    """Matches downloads, one at a time. `answer` is of a platform from which they were fetched."""

    context: AppContext
    people: Path | None
    tenant: str = OPERATING_TENANT  # whose register `people` is
    answer: Answer | None = None

    def run_all(self) -> None:
        """Match every download that is due. One that cannot be keeps back no other; its error is raised last."""
        failed: Exception | None = None
        more = True
        while more:
            try:
                more = self.run()
            except Unavailable:
                raise
            except Exception as exc:  # noqa: BLE001 - the next one may be sound
                failed = exc
        if failed is not None:
            raise failed

    def run(self) -> bool:
        """Match the oldest download that is due. Returns whether there was one.

        One that was fetched waits on where it cannot be matched, longer after each attempt: the platform does not give
        it twice. The error is raised. So is one that nobody expects, and the list has failed by it.
        """
        with transaction(self.context.database) as session:
            is_due = or_(DropList.next_at.is_(None), DropList.next_at <= utc_now())
            waiting = select(DropList).where(DropList.status == "waiting", is_due)
            row = session.scalar(waiting.order_by(DropList.created_at, DropList.id).limit(1))
            if row is None:
                return False
            model_id = models.model_in_use(session, row.tenant_id)
        bind_request_id(row.correlation)
        of_tenant = replace(self, context=self.context.of_tenant(row.tenant_id, model_id))
        try:
            of_tenant.match(row)
        except Exception as exc:
            foreseen = isinstance(exc, LacunaError)
            detail = exc.detail if isinstance(exc, LacunaError) else f"Unexpected: {type(exc).__name__}."
            lost = isinstance(exc, IntegrityFailure | NotFound) or utc_now() > row.created_at + PATIENCE
            if row.fetched and not lost:
                of_tenant.put_off(row, detail)
                raise
            if isinstance(exc, Unavailable):
                raise
            of_tenant.finish(row, "failed", detail)
            if not foreseen:
                raise
        return True

    def match(self, row: DropList) -> None:
        """Match one download, in the context of its tenant."""
        if row.wrapped_key is None:
            raise NotFound("The key of the list was destroyed.")
        if self.people is None or row.tenant_id != self.tenant:
            raise BadInput(NO_REGISTER)
        raw = self.context.keys.open(self.context.store.get(row.object_key), row.wrapped_key, row.object_key)
        download = read_download(raw, _only_name(row))
        if download.sha256 != row.sha256:  # it could not be read when it was taken in
            row = self._describe(row, download)
        register = Register.read(self.people)
        by_row: dict[int, list[MatchedItem]] = defaultdict(list)
        for item in register.match(download.lists):
            for number in item.rows:
                by_row[number].append(item)
        batch: list[_Person] = []
        for person in register.people_of(by_row):
            key = self.context.keys.blind_index(f"drop {person_text(person)}")
            batch.append(_Person(key, person, tuple(by_row[person.number])))
            if len(batch) == BATCH:
                self._file(row, batch)
                batch = []
        self._file(row, batch)
        removed = [item.id for each in download.lists if each.kind is None for item in each.items()]
        with transaction(self.context.database) as session:
            for ticket_id in self._note_removed(session, row, removed):
                ticket = tickets.get_ticket(session, row.tenant_id, ticket_id, lock=True)
                note = "The person took the request back at DROP."
                tickets.record(session, ticket, SYSTEM_ACTOR, note, "drop.removed")
        if self.answer is not None and row.fetched:
            matched = {item.item_id: None for items in by_row.values() for item in items}
            self.answer(row, download, matched)
        self.finish(row, "succeeded", None, len(removed))

    def _describe(self, row: DropList, download: Download) -> DropList:
        with transaction(self.context.database) as session:
            locked = session.get_one(DropList, row.id, with_for_update=True)
            service.describe(locked, download)
            return locked

    def _file(self, row: DropList, batch: Sequence[_Person]) -> None:
        """File the tickets of a batch, and note which items they are of."""
        if not batch:
            return
        with transaction(self.context.database) as session:
            new = self._not_filed(session, row, batch)
        principal = Principal(row.tenant_id, row.owner, (SYSTEM_ACTOR if row.owner == SYSTEM_ACTOR else "officer",))
        with Drafts(self.context) as drafts:
            prepared: dict[str, PreparedTicket] = {}
            problems: dict[str, str] = {}
            for person in new:
                outcome = self._prepare(row, principal, person)
                if isinstance(outcome, PreparedTicket):
                    prepared[person.key] = outcome
                    drafts.tickets.append(outcome)
                else:
                    problems[person.key] = outcome
            self._file_prepared(row, principal, new, prepared, problems, drafts)

    def _file_prepared(
        self,
        row: DropList,
        principal: Principal,
        new: Sequence[_Person],
        prepared: Mapping[str, PreparedTicket],
        problems: Mapping[str, str],
        drafts: Drafts,
    ) -> None:
        """File those of whom nobody else has filed a ticket meanwhile."""
        with transaction(self.context.database) as session:
            session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"drop {row.tenant_id}", 0))))
            still_new = self._not_filed(session, row, new)
            ids = self._referenced(session, row, still_new)
            to_file = [each for each in still_new if each.key in prepared and each.key not in ids]
            filed = intake.insert_tickets(session, self.context, principal, [prepared[each.key] for each in to_file])
            ids |= {each.key: one.ticket.id for each, one in zip(to_file, filed, strict=True)}
            session.flush()
            drafts.filed.update(one.ticket.id for one in filed)
            for person in still_new:
                ticket_id = ids.get(person.key)
                self._note(session, row, person, ticket_id, None if ticket_id else problems[person.key])

    def _prepare(self, row: DropList, principal: Principal, person: _Person) -> PreparedTicket | str:
        """The person's ticket with its sealed material, or why there is none."""
        try:
            body = TicketCreate(
                names=list(person.row.names),
                photos=[f"data:image/png;base64,{base64.b64encode(each).decode()}" for each in person.row.photos],
                facts=[
                    FactCreate(attribute=fact.attribute, value=fact.value, aliases=list(fact.aliases))
                    for fact in person.row.facts
                ],
                languages=list(person.row.languages) or None,
                source=SOURCE,
                external_ref=person.reference,
                regime="ccpa",
                calendar="US-CA",
                zone=service.ZONE,
                received_at=row.received_at,
            )
            return intake.seal_material(self.context, principal, body)
        except ValidationError as exc:
            return summarize_validation_errors(
                exc.errors(include_url=False, include_context=False, include_input=False)
            )
        except (BadInput, TooLarge) as exc:
            return exc.detail

    def _not_filed(self, session: Session, row: DropList, batch: Sequence[_Person]) -> list[_Person]:
        """Those of `batch` with items for which they were not filed yet, and these items alone."""
        done = {
            tuple(each)
            for each in session.execute(
                select(DropMatch.item_id, DropMatch.person_key).where(
                    DropMatch.tenant_id == row.tenant_id,
                    DropMatch.item_id.in_({item.item_id for person in batch for item in person.items}),
                    DropMatch.ticket_id.is_not(None),
                )
            )
        }
        left, seen = [], set()
        for person in batch:
            items = tuple(item for item in person.items if (item.item_id, person.key) not in done)
            if items and person.key not in seen:  # the same person in two rows
                left.append(replace(person, items=items))
            seen.add(person.key)
        return left

    def _referenced(self, session: Session, row: DropList, batch: Sequence[_Person]) -> dict[str, str]:
        """The tickets that were filed under the references of these people before, by the key of the person."""
        by_reference = {person.reference: person.key for person in batch}
        filed = select(Ticket.external_ref, Ticket.id).where(
            Ticket.tenant_id == row.tenant_id, Ticket.source == SOURCE, Ticket.external_ref.in_(by_reference)
        )
        return {by_reference[reference]: ticket for reference, ticket in session.execute(filed) if reference}

    def _note(
        self, session: Session, row: DropList, person: _Person, ticket_id: str | None, problem: str | None
    ) -> None:
        for item in person.items:
            values = {"list_id": row.id, "file": item.file, "ticket_id": ticket_id, "problem": problem}
            match = insert(DropMatch).values(
                tenant_id=row.tenant_id, item_id=item.item_id, person_key=person.key, **values
            )
            again = match.on_conflict_do_update(index_elements=["tenant_id", "item_id", "person_key"], set_=values)
            session.execute(again)

    def _note_removed(self, session: Session, row: DropList, items: Sequence[str]) -> set[str]:
        """Mark the matches whose requests were taken back; returns their tickets."""
        found: set[str] = set()
        for start in range(0, len(items), service.AT_ONCE):
            mark = (
                update(DropMatch)
                .where(DropMatch.tenant_id == row.tenant_id, DropMatch.removed_at.is_(None))
                .where(DropMatch.item_id.in_(items[start : start + service.AT_ONCE]))
                .values(removed_at=utc_now())
                .returning(DropMatch.ticket_id)
            )
            found |= {ticket for ticket in session.scalars(mark) if ticket is not None}
        return found

    def put_off(self, row: DropList, error: str) -> None:
        """Say at the download why it waits, and until when."""
        with transaction(self.context.database) as session:
            locked = session.get_one(DropList, row.id, with_for_update=True)
            pause = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(locked.attempts, 10))
            locked.error, locked.next_at, locked.attempts = error, utc_now() + pause, locked.attempts + 1

    def finish(self, row: DropList, status: str, error: str | None, removed: int = 0) -> None:
        """End the matching and destroy the key of the download: nothing of what did not match is kept."""
        with transaction(self.context.database) as session:
            locked = session.get_one(DropList, row.id, with_for_update=True)
            if locked.status != "waiting":
                return  # by another control loop
            of_list = DropMatch.tenant_id == row.tenant_id, DropMatch.list_id == row.id
            counted = select(func.count(DropMatch.item_id.distinct()), func.count(DropMatch.ticket_id.distinct()))
            locked.matched, locked.tickets = session.execute(counted.where(*of_list)).one()
            locked.status, locked.error, locked.removed = status, error, removed
            locked.finished_at, locked.wrapped_key = utc_now(), None
            detail = {"status": status, "rows": row.rows, "matched": locked.matched, "tickets": locked.tickets}
            audit_log.append_leaf(session, row.owner, "drop.matched", str(row.id), detail)
        try:
            self.context.store.delete(row.object_key)
        except LacunaError as exc:
            logger.warning("drop list %s: its object stays, unreadable without its key (%s)", row.id, exc.detail)


def _only_name(row: DropList) -> str:
    """A download is kept as an archive, in which the files have their names."""
    return f"{row.id}.zip"
